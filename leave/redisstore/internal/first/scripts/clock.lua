-- The time and nothing else, for the first not_after.
--
-- KEYS  as in guard.lua
-- Answer: the store's time, and what of it is correction (milliseconds).
local t = redis.call('TIME')
local correction = redis.call('GET', KEYS[9]) or '0'
local time = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + tonumber(correction)
return {string.format('%.0f', time), correction}
