-- Postpones or removes invalid records (stored texts that are not jobs), each only if
-- its stored version is the expected one.
--
-- KEYS  for every record the part of the due times for its room
-- ARGV from 5, seven for every record:
--   its form, its field or id, the number of its part, its room ('' if unknown),
--   what the ids of that room begin with, the expected version (as the function at
--   returns it), when a claim is to look at it again (milliseconds); '' for the
--   last one removes the record
for i = 5, #ARGV, 7 do
  local form, place, n, room, roomID, expected, due = unpack(ARGV, i, i + 6)
  local part = KEYS[FIXED + (i + 2) / 7]
  local hash, at = JOBS, atFirst
  if form == '2' then
    hash, at = RECORDS, atSecond
  end
  local stored = redis.call('HGET', hash, place)
  if at(stored) == expected then
    if due == '' then
      if form == '2' then
        removeSecond(place, room, part, n, stored or '')
      else
        removeFirst(place, room)
      end
      empty(room, part, roomID)
      version(0, (#ARGV - i + 1) / 7)
    elseif form == '2' then
      redis.call('ZADD', part, due, place)
      head(part, n)
    else
      redis.call('ZADD', DUE, due, place)
    end
  end
end
return answer
