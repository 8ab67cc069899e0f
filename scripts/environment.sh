# Sourced by the other scripts: makes .venv where it is missing, and installs into it.
# Usage: prepare_environment VENV_FOLDER PIP_ARGUMENT...

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "error: Python 3.11 or newer is needed; install it and run this again" >&2
    return 1
}

prepare_environment() {
    local venv=$1 python stamp
    shift
    # What was installed is remembered by what was asked for: a second run starts at once.
    stamp=$(cat "$root/setup.cfg" "$root/pyproject.toml" <(echo "$@") | cksum)
    if [ -x "$venv/bin/python" ] && grep -qxF "$stamp" "$venv/.installed" 2>/dev/null; then
        return
    fi
    python=$(find_python) || return 1
    echo "making ${venv#"$root"/} (once; PyTorch is large, this takes a few minutes)" >&2
    "$python" -m venv "$venv" || return 1
    install_by_pip "$venv/bin/python" "$@" || {
        echo "error: the installation failed; see above, and run this again" >&2
        tell_space "$venv"
        return 1
    }
    echo "$stamp" >> "$venv/.installed"
}

# "No space left" alone does not tell which disk is full, nor what is needed.
tell_space() {
    local folder free
    for folder in "$1" "${TMPDIR:-/tmp}"; do
        free=$(df -Pm "$folder" | awk 'NR == 2 { printf "%.1f", $4 / 1024 }')
        echo "note: $free GB are free at $folder; PyTorch with CUDA's libraries takes about 7 GB," \
            "and 3 GB of the temporary folder while it is fetched" >&2
    done
}

# Bars on a terminal; elsewhere a line for each package, where a log would fill with bars.
install_by_pip() {
    local install=("$1" -m pip install --disable-pip-version-check "${@:2}")
    if [ -t 2 ]; then
        "${install[@]}" >&2
    else
        "${install[@]}" | awk '/^Collecting / { print $1, $2; fflush() }' >&2
    fi
}
