-- Corrects the store's time when this server's clock has jumped, or another
-- server with another clock has taken over.
--
-- KEYS  as in guard.lua
-- ARGV  not_after, the correction that was in force, the one to come
-- Answer: 'done', or why not.
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
