# Completion of sessionctl for bash.

_sessionctl() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  # The shell takes "=" for a word of its own.
  if [[ $current == = ]]; then
    current=''
  elif [[ $previous == = ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  local commands='status show history diff replay tail verify rebuild backup restore archive tenant erase'
  local types='started replaced patched attribute-set attribute-removed touched expired ended erased'
  local command='' place word options
  for ((place = 1; place < COMP_CWORD; place++)); do
    word=${COMP_WORDS[place]}
    case $word in
      --data-dir)
        ((place++))
        [[ ${COMP_WORDS[place]} != = ]] || ((place++))
        ;;
      -*) ;;
      *)
        command=$word
        break
        ;;
    esac
  done
  case $previous in
    --data-dir | --archive)
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      return
      ;;
    --resume | --erasures)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --format)
      mapfile -t COMPREPLY < <(compgen -W 'table ndjson csv' -- "$current")
      return
      ;;
    --type)
      mapfile -t COMPREPLY < <(compgen -W "$types" -- "$current")
      return
      ;;
    --tenant | --session | --customer | --version | --as-of | --limit | --from | --to | --since | --until | --confirm | --head) return ;;
  esac
  options='--data-dir --json --help'
  case $command in
    '')
      mapfile -t COMPREPLY < <(compgen -W "$commands --data-dir --help --version" -- "$current")
      return
      ;;
    show) options+=' --version --as-of' ;;
    history) options+=' --limit' ;;
    diff) options+=' --from --to' ;;
    replay) options+=' --tenant --session --customer --type --from --to --since --until --format' ;;
    tail) options+=' --tenant --session --customer --type --from --since --format' ;;
    verify) options+=' --tenant --head --resume --archive' ;;
    tenant)
      options+=' --confirm'
      if [[ $current != -* ]]; then
        if [[ $previous == tenant ]]; then
          mapfile -t COMPREPLY < <(compgen -W 'list export remove' -- "$current")
        elif [[ ${COMP_WORDS[COMP_CWORD - 2]} == export ]]; then
          mapfile -t COMPREPLY < <(compgen -d -- "$current")
        fi
        return
      fi
      ;;
    erase) options+=' --session --customer' ;;
    backup | restore | archive)
      [[ $command == archive ]] && options+=' --tenant'
      [[ $command == restore ]] && options+=' --erasures'
      if [[ $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
      fi
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
}

complete -o filenames -F _sessionctl sessionctl
