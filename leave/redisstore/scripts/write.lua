-- Writes or removes jobs, each only if its stored version is the expected one.
--
-- KEYS  for every job the part of the due times that lists it in the second form
-- ARGV from 5: the form of the values; then nine for every job:
--   field, id, the number of its part, room, the expected version (see atBoth: '0'
--   if nothing is stored, '?' for a text that is not a job), a version that the new
--   one must exceed ('' keeps the version), when the job is due (milliseconds), in
--   the first form its account (see tally), the value; '' for the last one removes
--   the job
-- Answer: if jobs are now written in the other form, only that form. Else for every
-- job: '1', its new version ('' if it was removed) and ''; or '0' and its values in
-- both forms, if its version was not the expected one.

local function writeFirst(field, room, v, due, account, value)
  redis.call('HSET', JOBS, field, v .. ' ' .. value)
  redis.call('ZADD', DUE, due, field)
  redis.call('ZADD', INDEX, 0, field)
  redis.call('ZADD', ROOMS, 'NX', 0, room)
  enter(field, room, account)
end

local function writeSecond(id, room, part, n, v, due, value, stored)
  redis.call('HSET', RECORDS, id, versioned(value, v))
  redis.call('ZADD', part, due, id)
  if not record(stored) then
    redis.call('ZADD', ROOMS, 'NX', 0, room) -- the room of a record is in ROOMS already
  end
  rebook(room, stored, value)
end

local form = isSecond() and '2' or '1'
if ARGV[5] ~= form then
  add(form)
  return answer
end

-- The parts of the due times to which a job was written, with their numbers.
local changed = {}
local isFirst = redis.call('HLEN', JOBS) > 0

for i = 6, #ARGV, 9 do
  local field, id, n, room, expected, above, due, account, value = unpack(ARGV, i, i + 8)
  local part = KEYS[FIXED + (i + 3) / 9]
  local first = (isFirst or form == '1') and redis.call('HGET', JOBS, field)
  local second = redis.call('HGET', RECORDS, id)
  if atBoth(first, second) ~= expected then
    add('0')
    add(first or '')
    add(second or '')
  else
    local v = above == '' and expected or version(above, (#ARGV - i + 1) / 9)
    if value ~= '' and form == '2' then
      writeSecond(id, room, part, n, v, due, value, second)
      second = false
      changed[part] = n
    elseif value ~= '' then
      writeFirst(field, room, v, due, account, value)
      first = false
    end
    if first then
      removeFirst(field, room)
    end
    if second then
      removeSecond(id, room, part, n, second)
    end
    if value == '' then
      v = ''
      empty(room, part, string.sub(id, 1, 5))
    end
    add('1')
    add(v)
    add('')
  end
end
for part, n in pairs(changed) do
  head(part, n)
end
return answer
