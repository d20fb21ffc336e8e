! command -v flowreg >/dev/null 2>&1 || flowreg hook pre-push "$@"
