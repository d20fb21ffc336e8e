#!/bin/sh
# flowreg git hook shim v2 sum @SUM@ (managed by "flowreg hooks install"; id 3f1d6a0c)
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

# The hook that was here before comes first, and gets what git said. It has kept its name, and is
# as deep as this one: some hooks go by their names, or by what is beside them.
hooks=${0%/*}
hooks=${hooks%"${hooks##*[!/]}"}
[ ! -h "$hooks" ] || hooks=$(cd -P "$hooks" && pwd)
previous=$hooks.flowreg/@HOOK@
if [ -x "$previous" ]; then
  # Others may have put something beside this one since.
  for file in "$hooks"/* "$hooks"/.[!.]*; do
    name=${file##*/}
    case $name in *.sample | "${0##*/}") continue ;; esac
    [ ! -e "$file" ] || [ -h "$hooks.flowreg/$name" ] || [ -e "$hooks.flowreg/$name" ] ||
      ln -s "../${hooks##*/}/$name" "$hooks.flowreg/$name" 2>/dev/null
  done
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
  "$flowreg" hook @HOOK@ "$@" 1>&2 <<SAID
$in
SAID
  case $? in 0) exit 0 ;; 1) exit 1 ;; esac
fi

# flowreg is not there, or did not get to the end: what git said is kept for `flowreg sync`, with the
# variables that say where it is to be registered.
bare() {
  printf %s "$1" | sed 's#//[^/@]*@#//#'
}
common=$(git rev-parse --git-common-dir 2>/dev/null) && spool=$common/flowreg/spool &&
  mkdir -p "$spool" 2>/dev/null && name=$spool/$(date +%s).$$ && {
  printf 'hook @HOOK@\nremote %s\nurl %s\ndirectory %s\n' "$(bare "$1")" "$(bare "$2")" "$PWD" &&
    printf %s "${PREFECT_PROFILE+PREFECT_PROFILE $PREFECT_PROFILE
}${PREFECT_API_URL+PREFECT_API_URL $(bare "$PREFECT_API_URL")
}" && printf '\n%s\n' "$in"
} 2>/dev/null >"$name.tmp" && mv "$name.tmp" "$name.raw"
exit 0
