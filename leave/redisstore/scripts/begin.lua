-- Begins a new epoch if there is none, if its count of writes is missing, or if the
-- caller names the current one as broken. Returns the epoch that is then current.
--
-- KEYS  as in guard.lua
-- ARGV  not_after, the name of a new epoch, the name of the broken epoch or ''
local EPOCH, WRITES, CORRECTION, SEEN = KEYS[1], KEYS[2], KEYS[9], KEYS[15]
local t = redis.call('TIME')
local micros = tonumber(t[1]) * 1000000 + tonumber(t[2])
local correction = redis.call('GET', CORRECTION) or '0'
local time = string.format('%.0f', math.floor(micros / 1000) + tonumber(correction))
if tonumber(time) >= tonumber(ARGV[1]) then
  return {'late', time, correction, '0', '0'}
end
local epoch, writes = redis.call('GET', EPOCH), redis.call('GET', WRITES)
if not epoch or not writes or epoch == ARGV[3] then
  epoch = ARGV[2]
  -- The count of writes continues from the microseconds since 1970. No earlier
  -- count was as high, so no version is given twice.
  writes = string.format('%.0f', math.max(micros, tonumber(writes or '0') + 1))
  if redis.call('GET', SEEN) == redis.call('GET', WRITES) then
    redis.call('SET', SEEN, writes)
  end
  redis.call('SET', EPOCH, epoch)
  redis.call('SET', WRITES, writes)
end
return {'ok', time, correction, writes, '0', epoch}
