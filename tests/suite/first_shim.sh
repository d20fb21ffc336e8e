#!/bin/sh
# flowreg git hook shim v1 (managed by "flowreg hooks install"; id 3f1d6a0c)
# Queues what is pushed, to be registered once the remote has it. It never blocks a push, unless
# [hooks] blocking = true in flowreg.toml asks for a check. Off: FLOWREG_HOOKS=0.

# What git says: read by the shell itself, as starting a program would cost more.
in= n=0
while [ "$n" -lt 64 ] && IFS= read -r line; do
  in="$in$line
" n=$((n + 1))
done
[ "$n" -lt 64 ] || in=$in$(cat)
in=${in%
}

# The hook that was here before comes first, and gets what git said.
previous=${0%/*}/pre-push.flowreg-prev
if [ -x "$previous" ]; then
  if [ -n "$in" ]; then
    "$previous" "$@" <<SAID || exit
$in
SAID
  else
    "$previous" "$@" </dev/null || exit
  fi
fi

{ [ "${FLOWREG_HOOKS:-1}" = 0 ] || [ -z "$in" ]; } && exit 0

# A graphical client may have another PATH than the terminal.
flowreg=@FLOWREG@
if [ ! -x "$flowreg" ]; then
  flowreg=$(command -v flowreg 2>/dev/null)
  for place in "$HOME/.cargo/bin" "$HOME/.local/bin" /usr/local/bin /opt/homebrew/bin; do
    [ -z "$flowreg" ] && [ -x "$place/flowreg" ] && flowreg=$place/flowreg
  done
fi
if [ -n "$flowreg" ]; then
  "$flowreg" hook pre-push "$@" 1>&2 <<SAID
$in
SAID
  case $? in 0) exit 0 ;; 1) exit 1 ;; esac
fi

# flowreg is not there, or did not get to the end: what git said is kept for `flowreg sync`.
common=$(git rev-parse --git-common-dir 2>/dev/null) && spool=$common/flowreg/spool &&
  mkdir -p "$spool" 2>/dev/null && name=$spool/$(date +%s).$$ && {
  printf 'hook pre-push\nremote %s\nurl %s\ndirectory %s\n\n%s\n' \
    "$(printf %s "$1" | sed 's#//[^/@]*@#//#')" "$(printf %s "$2" | sed 's#//[^/@]*@#//#')" "$PWD" "$in" \
    >"$name.tmp" && mv "$name.tmp" "$name.raw"
} 2>/dev/null
exit 0
