-- Reads the store's time. A new caller needs it for its first not_after.
--
-- KEYS  as in guard.lua
-- Answer: the store's time, and the correction in it (both in milliseconds).
local t = redis.call('TIME')
local correction = redis.call('GET', KEYS[9]) or '0'
local time = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + tonumber(correction)
return {string.format('%.0f', time), correction}
