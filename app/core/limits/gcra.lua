-- One admission decision over n policies by GCRA: all of them admit, or nothing is written.
-- KEYS[i]  one bucket a policy; its value is the theoretical arrival time (TAT) in microseconds
-- ARGV     n, then for each policy: cost, T (microseconds a unit), B (burst in units)
-- Returns  {allowed, violated index or 0, retry ms (-1: never), then remaining, reset ms for each}
-- The clock is the server's, so clients' clocks do not matter. Microseconds since 1970 are below
-- 2^53, but tostring() would keep 14 digits of them: they are written with %.0f.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local n = tonumber(ARGV[1])
local tats, news, units, bursts = {}, {}, {}, {}
local violated, retry = 0, 0

for i = 1, n do
  local cost = tonumber(ARGV[3 * i - 1])
  local unit = tonumber(ARGV[3 * i])
  local burst = tonumber(ARGV[3 * i + 1])
  local span = unit * burst
  local tat = tonumber(redis.call('GET', KEYS[i]) or now)
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
local reply = {allowed and 1 or 0, violated, retry < 0 and -1 or math.ceil(retry / 1000)}
for i = 1, n do
  local tat = tats[i]
  if allowed then
    tat = news[i]
    if tat <= now then
      redis.call('DEL', KEYS[i])
    elseif tat ~= tats[i] then
      redis.call('SET', KEYS[i], string.format('%.0f', tat), 'PX',
        string.format('%.0f', math.ceil((tat - now) / 1000)))
    end
  end
  local remaining = math.floor(bursts[i] - (tat - now) / units[i])
  if remaining < 0 then remaining = 0 end
  reply[2 * i + 2] = remaining
  reply[2 * i + 3] = math.ceil((tat - now) / 1000)
end
return reply
