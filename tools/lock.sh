#!/usr/bin/env bash
# Writes requirements/lock.txt, and the part of it that the demo needs, from what .venv holds now (after
# upgrading there by hand).
# CUDA libraries are what torch's Linux wheels need; elsewhere they do not exist.
set -euo pipefail
cd "$(dirname "$0")/.."
{
  echo "# Made by tools/lock.sh with $(.venv/bin/python --version). Lower bounds are in pyproject.toml."
  .venv/bin/pip freeze --exclude-editable --exclude sqbench --exclude Resemblyzer --exclude bigcodec --exclude speechtokenizer 2>/dev/null |
    sed -E '/^(nvidia-|cuda-|triton==)/ s/$/ ; platform_system == "Linux" and platform_machine == "x86_64"/'
} > requirements/lock.txt.partial
mv requirements/lock.txt.partial requirements/lock.txt
.venv/bin/python tools/lock_demo.py
