"""What the fork server imports before it forks: all that a killed run uses, and no torch."""

from retrieval.encoders.openvino.encoder import OpenVinoEncoder as OpenVinoEncoder
from retrieval.encoders.openvino.runtime import openvino
from tests.faults import commands as commands
from tests.faults import killing as killing

openvino()
