"""Products modelled by code and photographed in a virtual studio."""

import bpy  # noqa: F401  (loading it makes bmesh and mathutils importable)
