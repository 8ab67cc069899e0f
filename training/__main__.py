"""`python -m training`: see `train.py`."""

from training.train import main

if __name__ == "__main__":
    main()
