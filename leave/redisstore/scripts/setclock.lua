-- Sets the correction of the store's time after this server's clock has jumped, or
-- after a server with another clock has taken over.
--
-- KEYS  as in guard.lua
-- ARGV  not_after, the correction that the caller knows, the new correction
-- Answer: 'done', or the reason why nothing was changed.
local CORRECTION = KEYS[9]
local t = redis.call('TIME')
local time = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + tonumber(ARGV[3])
if time >= tonumber(ARGV[1]) then
  return 'late'
end
if (redis.call('GET', CORRECTION) or '0') ~= ARGV[2] then
  return 'done already'
end
redis.call('SET', CORRECTION, ARGV[3])
return 'done'
