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
# PYTHON names the interpreter (python3); the audio is unpacked into a folder of AUDIO_DIR
# (/tmp/train-audio) that is named by a hash of the parts.
set -euo pipefail

MORE=3
SAVE_S=${SAVE_S:-60} # to finish a step, save, measure, and come down

wrong() {
    echo "error: $*" >&2
    exit 1
}

# Standard input, as PARTS/NAME.tar.NN of so many bytes, in the place of what was there; the number
# of parts and the hash of the whole go into PARTS/NAME.sum, by which a missing part shows.
split_into() {
    local bytes=$1 folder=$2 name=$3
    mkdir -p "$folder"
    rm -f "$folder/$name".tar.* "$folder/$name.sum"
    split -b "$bytes" -a 4 -d - "$folder/$name.tar."
    parts_sum "$folder" "$name" >"$folder/$name.sum"
}

parts_sum() {
    local found=("$1/$2".tar.*)
    [ -e "${found[0]}" ] || wrong "$1: expected parts $2.tar.*; found none"
    echo "${#found[@]} $(cat "${found[@]}" | sha256sum | cut -d' ' -f1)"
}

check_parts() {
    local found
    found=$(parts_sum "$1" "$2")
    [ -e "$1/$2.sum" ] || wrong "$1: expected $2.sum beside the parts; found none. Pack them again."
    [ "$found" = "$(cat "$1/$2.sum")" ] ||
        wrong "$1: expected $2.tar.* as they were packed ($(cut -d' ' -f1 "$1/$2.sum") parts);" \
            "found ${found%% *} or others. Bring them again."
}

pack() {
    [ -d "$1" ] || wrong "$1: expected a folder of audio"
    tar -C "$1" -cf - . | split_into 55000000 "$2" audio
}

# The folder of the unpacked audio. The sum names it, so that other parts have another one; parts are
# hashed when they are unpacked, and not in every leg.
unpacked() {
    local parts=$1 sum audio
    [ -e "$parts/audio.sum" ] || check_parts "$parts" audio
    sum=$(cut -d' ' -f2 "$parts/audio.sum")
    audio=${AUDIO_DIR:-/tmp/train-audio}/${sum:0:16}
    if [ ! -e "$audio/.complete" ]; then
        check_parts "$parts" audio
        rm -rf "$audio"
        mkdir -p "$audio"
        cat "$parts"/audio.tar.* | tar -C "$audio" -xf -
        touch "$audio/.complete"
    fi
    echo "$audio"
}

leg() {
    [ $# -ge 3 ] || wrong "expected leg PARTS SECONDS OUT ..."
    local parts=$1 seconds=$2 out=$3 audio status=0
    shift 3
    [[ $seconds =~ ^[0-9]+$ ]] || wrong "SECONDS: expected a whole number; found '$seconds'"
    [ "$seconds" -gt "$SAVE_S" ] ||
        wrong "SECONDS: expected at least $((SAVE_S + 1)) s, as $SAVE_S (SAVE_S) are for saving;" \
            "found $seconds"
    audio=$(unpacked "$parts")
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
    tar -C "$1" -cf - model.safetensors model.json recipe.json log.jsonl | split_into 15000000 "$2" run
}

join() {
    check_parts "$1" run
    mkdir -p "$2"
    cat "$1"/run.tar.* | tar -C "$2" -xf -
}

case ${1:-} in
    pack | leg | bring | join) "$@" ;;
    *) sed -n '2,/^set /{/^#/p}' "$0"; exit 1 ;;
esac
