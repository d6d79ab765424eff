"""The scripts that run inside Redis, each as one step.

Keys, behind a common prefix in braces so that a cluster keeps them together:

    epoch    the log's name          top      number of its newest message
    log      a stream of the newest messages of all topics, from which processes read
    t:TOPIC  a stream of a topic's history
    last     topics by the number of their newest message
    dropped  up to where a topic's messages are dropped
    floor    the highest `last` of topics that are forgotten
    sent:ID  what a process has published lately, to know repetitions
"""

from typing import Final

PUBLISH: Final = """
local p = KEYS[1]
local epoch = redis.call('GET', p .. 'epoch')
if not epoch then
  epoch = ARGV[1]
  redis.call('SET', p .. 'epoch', epoch)
end
if ARGV[3] ~= '' and ARGV[3] ~= epoch then
  return {epoch}
end
local sent = p .. 'sent:' .. ARGV[2]
local window, most = tonumber(ARGV[4]), tonumber(ARGV[5])
local answer = {epoch}
local time = redis.call('TIME')
time = time[1] .. '.' .. string.format('%06d', time[2])
for i = 6, #ARGV, 6 do
  local n, topic, body, key = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local count, age = tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5])
  local seq = redis.call('HGET', sent, n)
  if not seq then
    seq = redis.call('INCR', p .. 'top')
    local id = string.format('%.0f', seq) .. '-1'
    redis.call('XADD', p .. 'log', 'MAXLEN', '~', window, id, 't', topic, 'b', body, 'k', key, 'c', time)
    redis.call('HSET', sent, n, seq)
    redis.call('HDEL', sent, tonumber(n) - 20000)
    if count > 0 or string.sub(topic, 1, 1) ~= '$' then
      redis.call('ZADD', p .. 'last', seq, topic)
      local stream = p .. 't:' .. topic
      if count == 0 then
        redis.call('HSET', p .. 'dropped', topic, seq)
        redis.call('DEL', stream)
      else
        local surplus = redis.call('XLEN', stream) + 1 - count
        if surplus > 0 then
          local out = redis.call('XRANGE', stream, '-', '+', 'COUNT', surplus)
          redis.call('HSET', p .. 'dropped', topic, string.match(out[#out][1], '^%d+'))
        end
        redis.call('XADD', stream, 'MAXLEN', count, id, 'b', body, 'k', key, 'c', time, 'a', age)
        redis.call('PEXPIRE', stream, math.ceil(age * 1000) + 1000)
      end
    end
  end
  answer[#answer + 1] = tonumber(seq)
end
redis.call('EXPIRE', sent, 300)
while redis.call('ZCARD', p .. 'last') > most do
  local gone = redis.call('ZPOPMIN', p .. 'last')
  redis.call('SET', p .. 'floor', gone[2])
  redis.call('HDEL', p .. 'dropped', gone[1])
  redis.call('DEL', p .. 't:' .. gone[1])
end
return answer
"""

NEWEST: Final = """
local p = KEYS[1]
local epoch = redis.call('GET', p .. 'epoch')
if not epoch then
  epoch = ARGV[1]
  redis.call('SET', p .. 'epoch', epoch)
end
return {epoch, tonumber(redis.call('GET', p .. 'top') or '0')}
"""

READ: Final = """
local p, after, limit = KEYS[1], ARGV[1], tonumber(ARGV[2])
local top = tonumber(redis.call('GET', p .. 'top') or '0')
local answer = {top, tonumber(redis.call('GET', p .. 'floor') or '0')}
for i = 3, #ARGV do
  local topic = ARGV[i]
  local last = tonumber(redis.call('ZSCORE', p .. 'last', topic) or '-1')
  local rows = {}
  if last > tonumber(after) then
    rows = redis.call('XREVRANGE', p .. 't:' .. topic, '+', '(' .. after .. '-1', 'COUNT', limit + 1)
  end
  answer[#answer + 1] = {last, tonumber(redis.call('HGET', p .. 'dropped', topic) or '0'), rows}
end
return answer
"""
