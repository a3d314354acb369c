-- Begins an epoch if there is none, or if the one there is, is known to be
-- broken, and returns the one that holds.
--
-- KEYS  as in guard.lua
-- ARGV  not_after, the name of a new epoch, the broken one or ''
local EPOCH, WRITES, CORRECTION = KEYS[1], KEYS[2], KEYS[9]
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
  -- The count goes on from the microseconds since 1970: more than any count
  -- before reached, so that no version comes twice.
  writes = string.format('%.0f', math.max(micros, tonumber(writes or '0') + 1))
  redis.call('SET', EPOCH, epoch)
  redis.call('SET', WRITES, writes)
end
return {'ok', time, correction, writes, '0', epoch}
