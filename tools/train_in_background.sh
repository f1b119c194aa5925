#!/usr/bin/env bash
# A training run of days beside other work: lowest priority, resumed by one command after any stop.
#
#   tools/train_in_background.sh start OUT ...   `python -m sqcodec.train --out OUT ...`, in the background;
#                                                the options are kept in OUT/options
#   tools/train_in_background.sh resume OUT      go on from the newest checkpoint, with those options
#   tools/train_in_background.sh status OUT      whether it runs, and its last lines
#   tools/train_in_background.sh pause OUT       hold it while a benchmark is measured ...
#   tools/train_in_background.sh continue OUT    ... and let it go on
#   tools/train_in_background.sh stop OUT        finish the step, save, end
#   tools/train_in_background.sh decay OUT END STEPS ...
#                                                from the newest checkpoint of OUT, STEPS more with a falling
#                                                learning rate in the folder END, here and now; OUT stays as
#                                                it is. ... are further options
#
# PYTHON names the interpreter (python3), NICE the priority (19).
set -euo pipefail

trainer() { nice -n "${NICE:-19}" "${PYTHON:-python3}" -m sqcodec.train "$@"; }

running() { [ -e "$1/pid" ] && kill -0 "$(cat "$1/pid")" 2>/dev/null; }

launch() {
    local out=$1
    shift
    if running "$out"; then
        echo "it runs already, as process $(cat "$out/pid")" >&2
        return 1
    fi
    setsid nice -n "${NICE:-19}" "${PYTHON:-python3}" -m sqcodec.train --out "$out" "$@" \
        >>"$out/output.txt" 2>&1 </dev/null &
    echo $! >"$out/pid"
}

start() {
    local out=$1
    shift
    mkdir -p "$out"
    printf '%s\n' "$@" >"$out/options"
    launch "$out" "$@"
}

# Where a run began is in its checkpoints, and --init contradicts --resume.
kept() {
    local skip=0 option
    while IFS= read -r option; do
        case $option in
            --init) skip=1 ;;
            --init=*) ;;
            *) if [ $skip = 1 ]; then skip=0; else options+=("$option"); fi ;;
        esac
    done <"$1/options"
}

resume() {
    local options=()
    kept "$1"
    launch "$1" "${options[@]}" --resume
}

status() {
    if running "$1"; then echo "runs, process $(cat "$1/pid")"; else echo "does not run"; fi
    tail -n 3 "$1/output.txt"
    if [ -e "$1/log.jsonl" ]; then tail -n 1 "$1/log.jsonl"; fi
}

decay() {
    local out=$1 end=$2 steps=$3 options=() newest step
    shift 3
    newest=$(find "$out/checkpoints" -name 'step-*.pt' | sort | tail -n 1)
    step=$((10#$(basename "$newest" .pt | cut -d- -f2)))
    mkdir -p "$end/checkpoints"
    cp "$newest" "$end/checkpoints/"
    cp "$out/log.jsonl" "$end/" # its rows after the checkpoint are dropped
    [ -e "$end/cache" ] || ln -s "$(realpath "$out/cache")" "$end/cache"
    kept "$out"
    trainer --out "$end" "${options[@]}" --resume --max-steps $((step + steps)) \
        --set "optimizer.decay_share=$(awk "BEGIN {print $steps / ($step + $steps)}")" \
        --set optimizer.schedule=constant "$@"
}

case ${1:-} in
    start | resume | status | decay) "$@" ;;
    pause) kill -STOP "$(cat "$2/pid")" ;;
    continue) kill -CONT "$(cat "$2/pid")" ;;
    stop) kill -TERM "$(cat "$2/pid")" ;;
    *) sed -n '2,/^set /{/^#/p}' "$0"; exit 1 ;;
esac
