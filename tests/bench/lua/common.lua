-- What every load has in common: reading pools of lines, and telling the outcome in one JSON line.

FORM = 'application/x-www-form-urlencoded'

local threads = {}
flows = 0 -- whole flows done, where a flow is more than one request

function lines(path)
  local found = {}
  for line in io.lines(path) do
    found[#found + 1] = line
  end
  return found
end

-- A first-in first-out queue that never looks at what it has given away.
function queue(items)
  local first, last = 1, #items
  return {
    take = function()
      if first > last then
        return nil
      end
      local item = items[first]
      items[first] = nil
      first = first + 1
      return item
    end,
    put = function(item)
      last = last + 1
      items[last] = item
    end,
  }
end

function setup(thread)
  threads[#threads + 1] = thread
end

function done(summary, latency)
  local whole = 0
  for _, thread in ipairs(threads) do
    whole = whole + thread:get('flows')
  end
  local e = summary.errors
  io.write(string.format(
    'BENCH {"requests": %d, "flows": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, '
      .. '"failed": %d, "broken": %d}\n',
    summary.requests, whole, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.status, e.connect + e.read + e.write + e.timeout
  ))
end
