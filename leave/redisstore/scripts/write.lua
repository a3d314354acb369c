-- Writes or removes jobs, each if its stored version is the expected one.
--
-- KEYS  for every job the part in which it is due
-- ARGV from 5: the form of the values; then nine for every job:
--   field, id, the number of its part, room, expected version (see atBoth: '0'
--   for none stored, '?' for what is no job), a version that the new one has to
--   exceed ('' has it stay as it is), when it is due (milliseconds), in the first
--   form the account of what it counts for (see enter), value; '' for the last
--   removes
-- Answer: the form that jobs are written in if it is the other; else, for every job, '1' and its new
-- version and '', or '0' and what is stored in both forms.

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
    redis.call('ZADD', ROOMS, 'NX', 0, room) -- it has that of a job
  end
  rebook(room, stored, value)
end

local form = isSecond() and '2' or '1'
if ARGV[5] ~= form then
  add(form)
  return answer
end

-- The parts with a job that was written.
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
