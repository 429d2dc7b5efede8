# SPDX-License-Identifier: GPL-2.0
# Runs named checks one after another, shows one line for each, and keeps count of the single tests in
# them. A check counts what its output says (cargo's "test result:" lines, TAP lines); one whose output
# has neither counts as one test.
# shellcheck shell=bash

PASSED=0 FAILED=0 SKIPPED=0
FAILURES=()
SKIPS=()

# count_output FILE: prints "passed failed skipped" as the output of a runner says.
count_output() {
	awk '
	/^test result: / {
		for (i = 1; i <= NF; i++) {
			if ($i ~ /^passed/) passed += $(i - 1)
			if ($i ~ /^failed/) failed += $(i - 1)
			if ($i ~ /^ignored/) skipped += $(i - 1)
		}
	}
	/^ok .*# SKIP/ { skipped++; next }
	/^not ok .*# TODO/ { skipped++; next }
	/^ok [0-9]/ { passed++ }
	/^not ok [0-9]/ { failed++ }
	END { printf "%d %d %d\n", passed, failed, skipped }' "$1"
}

# check NAME WHAT CMD…: NAME for the log file, WHAT for the person.
check() {
	local name=$1 what=$2 log began status=0 passed failed skipped
	shift 2
	log=$LOGS/check-$name.log
	mkdir -p "$LOGS"
	began=$SECONDS
	printf '%s==>%s %-58s' "$BOLD" "$PLAIN" "$what"
	"$@" >"$log" 2>&1 </dev/null || status=$?
	read -r passed failed skipped < <(count_output "$log")
	if [ "$status" = 77 ]; then # the convention of kselftest's SKIP is 4, of automake 77; ours: a whole check
		skipped=$((skipped + 1))
		SKIPS+=("$what: $(tail -n 1 "$log")")
	elif [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1
	elif [ $((passed + failed + skipped)) = 0 ]; then passed=1
	fi
	PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + skipped))
	verdict "$status" "$passed" "$failed" "$skipped" "$((SECONDS - began))"
	if [ "$failed" != 0 ]; then
		FAILURES+=("$what: $log")
		# Finding none of them is no reason to stop here.
		{ grep -E '^(not ok|test .*FAILED|error|FAIL|  *thread .*panicked)' "$log" || true; } | head -n 20 | sed 's/^/    /'
		tail -n 12 "$log" | sed 's/^/    /'
	fi
	while read -r line; do SKIPS+=("$what: $line"); done < <(sed -n 's/^ok [0-9]* *-* *\(.*\)# SKIP *\(.*\)/\1(\2)/p' "$log")
}

verdict() { # verdict STATUS PASSED FAILED SKIPPED SECONDS
	local word=${GREEN}ok$PLAIN detail="$2 passed"
	[ "$3" = 0 ] || { word=${RED}FAILED$PLAIN; detail="$3 failed, $2 passed"; }
	[ "$1" = 77 ] && word=skipped
	[ "$4" = 0 ] || detail="$detail, $4 skipped"
	printf '%s  (%s; %d s)\n' "$word" "$detail" "$5"
}

# The last words: why anything was skipped, what failed and where to read on, and the count.
tally() {
	local line
	if [ ${#SKIPS[@]} != 0 ]; then
		say "Skipped:"
		for line in "${SKIPS[@]}"; do note "$line"; done
	fi
	if [ ${#FAILURES[@]} != 0 ]; then
		printf '%sFailed%s (the name of a check, then its log):\n' "$RED" "$PLAIN"
		for line in "${FAILURES[@]}"; do printf '    %s\n' "$line"; done
	fi
	printf '%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
	[ "$FAILED" = 0 ] && [ "$PASSED" != 0 ]
}
