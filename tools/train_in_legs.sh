#!/usr/bin/env bash
# Train on a machine that files reach in small parts only, and whose commands may last minutes only.
#
#   tools/train_in_legs.sh pack AUDIO PARTS          here: a folder of audio, as parts of 55 MB
#   tools/train_in_legs.sh leg PARTS SECONDS OUT ...  there, again and again: start or resume, and stop
#                                                    in time; ... are options of `python -m sqcodec.train`
#   tools/train_in_legs.sh bring OUT PARTS           there: weights, card and log, as parts of 15 MB
#   tools/train_in_legs.sh join PARTS OUT            here: those parts, whole again
#
# Exit status of `leg`: 0 the run has ended, 3 there is more to do, else what went wrong.
# PYTHON names the interpreter (python3); the audio is unpacked into AUDIO_DIR (/tmp/train-audio).
set -euo pipefail

MORE=3
SAVE_S=${SAVE_S:-60} # to finish a step, save, measure, and come down

pack() {
    mkdir -p "$2"
    tar -C "$1" -cf - . | split -b 55000000 -d - "$2/audio.tar."
}

leg() {
    local parts=$1 seconds=$2 out=$3 audio=${AUDIO_DIR:-/tmp/train-audio} status=0
    shift 3
    if [ ! -e "$audio/.complete" ]; then
        mkdir -p "$audio"
        cat "$parts"/audio.tar.* | tar -C "$audio" -xf -
        touch "$audio/.complete"
    fi
    local start=("$@")
    if compgen -G "$out/checkpoints/step-*" >/dev/null; then
        # Where it began is in the checkpoint, and --init contradicts --resume.
        start=(--resume)
        while [ $# -gt 0 ]; do
            case $1 in
                --init) shift 2 ;;
                --init=*) shift ;;
                *) start+=("$1"); shift ;;
            esac
        done
    fi
    timeout --signal=TERM --kill-after="$SAVE_S" $((seconds - SAVE_S)) \
        "${PYTHON:-python3}" -m sqcodec.train --data "$audio" --out "$out" "${start[@]}" || status=$?
    case $status in
        # The trainer's own status after SIGTERM, and what `timeout` makes of it.
        124 | 143) return $MORE ;;
        137) echo "killed before it had come down: raise SAVE_S ($SAVE_S) if this goes on" >&2; return $MORE ;;
        *) return $status ;;
    esac
}

bring() {
    mkdir -p "$2"
    tar -C "$1" -cf - model.safetensors model.json recipe.json log.jsonl | split -b 15000000 -d - "$2/run.tar."
}

join() {
    mkdir -p "$2"
    cat "$1"/run.tar.* | tar -C "$2" -xf -
}

case ${1:-} in
    pack | leg | bring | join) "$@" ;;
    *) sed -n '2,/^set /{/^#/p}' "$0"; exit 1 ;;
esac
