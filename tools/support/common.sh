# Shared by the scripts of tools/: where things are, and how they report. Sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/lindero
python=$cache/python/bin/python
script=$(basename "$0")
PATH=$PATH:$HOME/.cargo/bin
# The C++ library and the Python package are of one release.
onnx_version=$(sed -n 's/^onnx==//p' "$root/tools/support/requirements.txt")

say() { echo "$script: $*"; }
fail() { echo "$script: $*" >&2; exit 1; }

# stage TITLE COMMAND…: runs one stage of a script and says how long it took.
stage() {
  local title=$1 start=$SECONDS
  shift
  say "$title …"
  "$@" || fail "$title: failed after $((SECONDS - start)) s"
  say "$title: done in $((SECONDS - start)) s"
}

# quietly LOG COMMAND…: runs the command with its output in a file. Off a terminal a long command shows a sign of life
# every minute; a failing one shows the end of its output.
quietly() {
  local log=$1 job next=$((SECONDS + 60))
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 </dev/null &
  job=$!
  # A job in the background does not see the terminal's interrupt.
  trap 'kill "$job" 2>/dev/null; exit 130' INT TERM
  while kill -0 "$job" 2>/dev/null; do
    sleep 0.2
    if [ "$SECONDS" -ge "$next" ]; then
      say "  … $(tail -n 1 "$log" | cut -c 1-110)"
      next=$((SECONDS + 60))
    fi
  done
  trap - INT TERM
  wait "$job" && return
  grep -A 40 -m 3 -E '^FAILED:|error(\[|:)|CMake Error' "$log" >&2 || tail -n 40 "$log" >&2
  echo "The whole output is in $log" >&2
  return 1
}

# build_release TARGETS… -- CMAKE-ARGUMENTS…: configures the release preset and builds the targets (all when none).
build_release() {
  local -a targets=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    targets+=("$1")
    shift
  done
  [ $# -eq 0 ] || shift
  stage "configure" quietly "$root/build/log/configure.log" cmake -S "$root" --preset release "$@"
  stage "build" quietly "$root/build/log/build.log" \
    cmake --build "$root/build" --parallel "$(nproc)" ${targets:+--target "${targets[@]}"}
}
