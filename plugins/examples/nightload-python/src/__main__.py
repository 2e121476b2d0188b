"""The plugin's main: it serves the detector and does nothing else."""

from gridwarden.serve import serve
from nightload import NightLoad

serve(NightLoad())
