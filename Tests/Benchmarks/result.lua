-- How a run of wrk ended, on one line that load.py reads; for every script beside this one.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.timeout, errors.status, latency:percentile(99)))
end
