#!/usr/bin/env bash
# Installs what the tests need, builds, runs all tests, and ends with `N passed, N failed`.
#
#   tests/run.sh            the default run
#   tests/run.sh --long     and the long ones: chaos and soak at length, asan+ubsan and tsan builds, benchmarks
#   tests/run.sh -R REGEX   only the tests whose names match
set -uo pipefail
cd "$(dirname "$0")/.."

long=0
filter=()
while [ $# -gt 0 ]; do
  case "$1" in
    --long) long=1 ;;
    -R) filter=(-R "$2"); shift ;;
    *) echo "usage: tests/run.sh [--long] [-R REGEX]" >&2; exit 2 ;;
  esac
  shift
done

deploy/install.sh --tests || exit 1
passed=0
failed=0
skipped=0  # tests that say that this machine lacks what they need; ctest names them

# said_by_the_failed REPORT: of each test that failed, its name and what it said was wrong, or else its last words.
said_by_the_failed() {
  awk '
    function tell(  i, first) {
      print "FAILED TEST " name
      first = found ? 1 : (count > 15 ? count - 14 : 1)
      for (i = first; i <= (found ? found : count); i++) print "  " substr(found ? wrong[i] : said[i], 1, 600)
    }
    /<testcase name=.*status="fail"/ { split($0, part, "\""); name = part[2]; inside = 1; found = count = more = 0; next }
    inside && /<\/testcase>/ { tell(); inside = 0 }
    inside { sub(/^\t*<system-out>/, "") }
    !inside || /^\t*<(failure|\/system-out)/ { next }
    { said[++count] = $0 }
    /FAILED|: Failure$|Sanitizer:|runtime error:/ { more = /: Failure$/ ? 6 : 1 }
    more > 0 && found < 30 { wrong[++found] = $0; more-- }
  ' "$1" | sed 's/&lt;/</g; s/&gt;/>/g; s/&quot;/"/g; s/&apos;/'"'"'/g; s/&amp;/\&/g'
}

# run_suite PRESET LABEL_ARGS...: builds a preset and adds its tests to the sums.
run_suite() {
  local preset=$1
  shift
  local build=build/$preset
  mkdir -p "$build"
  if ! cmake --preset "$preset" -DGANTRY_BUILD_TESTS=ON -DGANTRY_BUILD_BENCH=ON >"$build/configure.log" 2>&1; then
    cat "$build/configure.log"
    failed=$((failed + 1))
    return
  fi
  if ! cmake --build --preset "$preset" >"$build/build.log" 2>&1; then
    grep -E "error|FAILED" "$build/build.log" | head -50
    failed=$((failed + 1))
    return
  fi
  local report=$PWD/$build/tests.xml
  rm -f "$report"
  ctest --test-dir "$build" --output-on-failure --timeout 900 -j 2 --output-junit "$report" "${filter[@]}" "$@"
  local total bad left_out
  total=$(grep -o 'tests="[0-9]*"' "$report" | head -1 | tr -dc 0-9)
  bad=$(grep -o 'failures="[0-9]*"' "$report" | head -1 | tr -dc 0-9)
  left_out=$(grep -o 'skipped="[0-9]*"' "$report" | head -1 | tr -dc 0-9)
  passed=$((passed + ${total:-0} - ${bad:-0} - ${left_out:-0}))
  failed=$((failed + ${bad:-1}))
  [ "${bad:-0}" -eq 0 ] || said_by_the_failed "$report"
  skipped=$((skipped + ${left_out:-0}))
  if [ "${total:-0}" -eq 0 ]; then failed=$((failed + 1)); fi
}

if [ $long -eq 1 ]; then
  export GANTRY_LONG=1
  run_suite release
  run_suite asan -LE long
  # librdkafka makes its threads by thrd_create, which GCC 12's ThreadSanitizer does not know: it crashes in them. What needs
  # a broker runs in the other two builds.
  export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp"
  run_suite tsan -LE long -E '[Kk]afka|^chaos\.(servers|outbox_full|restore)|on_servers|^conformance|store_copy|server_errors|cloudevents'
else
  run_suite release -LE long
fi

[ "$skipped" -eq 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
