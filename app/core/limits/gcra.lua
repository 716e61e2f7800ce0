-- Independent admission decisions by GCRA, one after the other. Within a decision all policies
-- admit, or nothing is written.
-- KEYS     one bucket a policy, decision after decision; its value is the theoretical arrival
--          time (TAT) in microseconds
-- ARGV     number of decisions, then for each: n, and for each of its n policies: cost,
--          T (microseconds a unit), B (burst in units)
-- Returns  one text, numbers with blanks between: for each decision: allowed, violated index or 0,
--          retry ms (-1: never), then remaining, reset ms for each of its policies. One text and
--          not a list, because clients take many times longer to read a list than to split a text.
-- The clock is the server's, so clients' clocks do not matter. Microseconds since 1970 are below
-- 2^53, but tostring() would keep 14 digits of them: they are written with %.0f.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local key, arg = 0, 1
local reply = {}

for _ = 1, tonumber(ARGV[1]) do
  arg = arg + 1
  local n = tonumber(ARGV[arg])
  local tats, news, units, bursts = {}, {}, {}, {}
  local violated, retry = 0, 0

  for i = 1, n do
    local cost = tonumber(ARGV[arg + 1])
    local unit = tonumber(ARGV[arg + 2])
    local burst = tonumber(ARGV[arg + 3])
    arg = arg + 3
    local span = unit * burst
    local tat = tonumber(redis.call('GET', KEYS[key + i]) or now)
    if tat < now then tat = now end
    -- Further ahead than a full bucket only after the clock stepped back or the burst was lowered.
    if tat > now + span then tat = now + span end
    local new = tat + cost * unit
    if new < now then new = now end
    tats[i], news[i], units[i], bursts[i] = tat, new, unit, burst
    if cost > burst then
      violated, retry = i, -1
    elseif cost > 0 and retry >= 0 then
      local wait = new - span - now
      if wait > 0 and wait > retry then violated, retry = i, wait end
    end
  end

  local allowed = violated == 0
  reply[#reply + 1] = allowed and 1 or 0
  reply[#reply + 1] = violated
  reply[#reply + 1] = retry < 0 and -1 or math.ceil(retry / 1000)
  for i = 1, n do
    local tat = tats[i]
    if allowed then
      tat = news[i]
      if tat <= now then
        redis.call('DEL', KEYS[key + i])
      elseif tat ~= tats[i] then
        redis.call('SET', KEYS[key + i], string.format('%.0f', tat), 'PX',
          string.format('%.0f', math.ceil((tat - now) / 1000)))
      end
    end
    local remaining = math.floor(bursts[i] - (tat - now) / units[i])
    if remaining < 0 then remaining = 0 end
    reply[#reply + 1] = remaining
    reply[#reply + 1] = math.ceil((tat - now) / 1000)
  end
  key = key + n
end
return table.concat(reply, ' ')
