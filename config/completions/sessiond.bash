# Completion of sessiond for bash.

_sessiond() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  # The shell takes "=" for a word of its own.
  if [[ $current == = ]]; then
    current=''
  elif [[ $previous == = ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $previous in
    --config) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    --data-dir) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    --auth) mapfile -t COMPREPLY < <(compgen -W 'none tokens' -- "$current") ;;
    --listen | --admin-listen) ;;
    *)
      mapfile -t COMPREPLY < <(compgen -W \
        '--config --listen --admin-listen --data-dir --auth --check-config --version --help' -- "$current")
      ;;
  esac
}

complete -o filenames -F _sessiond sessiond
