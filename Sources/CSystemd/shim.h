#pragma once
// Without the location macros, which would put this header's own lines into every journal entry.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
