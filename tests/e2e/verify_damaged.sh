#!/usr/bin/env bash
# verify_damaged.sh LINDERO SOURCE [COUNT]
# Proves a run of the char GPT, then damages its proof and its key: COUNT copies inside one process (the
# prover's verb `tamper`), and some through `lindero verify`, in a folder that holds nothing but proof and key. Each must be
# rejected with an error, without a crash, within 512 MiB.
set -euo pipefail
lindero=$1 source=$2 count=${3:-8000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "verify_damaged: $*" >&2; exit 1; }

"$lindero" compile "$source/models/char_gpt/char_gpt.onnx" -o "$work/gpt" --argmax --positions last:32 >"$work/log"
"$lindero" compile "$source/models/toy_gpt.onnx" -o "$work/toy" >>"$work/log"
"$lindero" prove "$work/gpt" -o "$work/run.proof" --prompt "$(head -c 64 "$source/models/char_gpt/held_out.txt")" \
  >>"$work/log"

mkdir "$work/alone"
cd "$work/alone"
reset() { cp "$work/run.proof" run.proof; cp "$work/gpt/model.key" model.key; }
verify() { (ulimit -v 524288; "$lindero" verify run.proof --key model.key) >"$work/out" 2>&1; }

rejected() {
  local code=0
  verify || code=$?
  [[ $code == 13 ]] || fail "$1: exit code $code"
  [[ $(wc -l <"$work/out") == 1 ]] || fail "$1: not one line: $(cat "$work/out")"
  [[ $(ls) == $'model.key\nrun.proof' ]] || fail "$1: verify left files behind: $(ls)"
  reset
}

flip() {  # FILE BYTE
  local old
  old=$(od -An -tu1 -j "$2" -N1 "$1")
  printf "\\x$(printf %x $((old ^ 1 << RANDOM % 8)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

reset
verify || fail "the proof is rejected as it stands: $(cat "$work/out")"
RANDOM=1
for file in run.proof model.key; do
  size=$(stat -c %s "$file")
  for at in 0 1 $((size / 3)) $((size / 2)) $((size - 1)); do
    flip "$file" "$at"
    rejected "$file, a bit of byte $at"
  done
  for left in 0 1 $((size / 2)) $((size - 1)); do
    truncate -s "$left" "$file"
    rejected "$file, cut to $left bytes"
  done
  for added in '\0' '\n' '\x08\x01' '\x78\x01'; do
    printf "$added" >>"$file"
    rejected "$file, $added appended"
  done
done
cp "$work/toy/model.key" model.key
rejected "the key of another model"
cp model.key run.proof
rejected "a key in place of a proof"

"$(dirname "$lindero")/lindero-prover-stwo" tamper --key "$work/gpt/model.key" --proof "$work/run.proof" \
  --count "$count" >"$work/tampered"
cat "$work/tampered"
grep -q '"survivors":\[\]' "$work/tampered" || fail "a damaged copy was not rejected"
