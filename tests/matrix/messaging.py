"""Messaging: situations, and which libraries and styles of consuming they are tested with."""

from __future__ import annotations

from .messaging_drivers import amqp, kafka, tasks
from .table import Role

MESSAGING = Role(
    "messaging",
    "Messaging",
    {
        "own-code": "the consumer's own code has the message's lane",
        "object-made-before": "producer and consumer made before `auto_instrument()`",
        "import-after": "library imported after `auto_instrument()`",
        "next-without-lane": "second message without a lane has none",
        "asked-in-vain": "no lane after the last message, once another is asked for",
        "closed": "no lane after the consumer was closed",
        "batch": "a batch makes no lane current; `extract()` gives each message's",
        "containers": "headers in every legal container, which is left as it is",
        "positional": "arguments given by position",
        "same-object-twice": "the same headers sent twice in the lane and once outside",
        "own-header": "the caller's own lane header: kept, not doubled",
        "own-baggage": "baggage mode: the caller's own baggage is merged, its bytes kept",
        "trace-id": "trace-ID mode: trace header verbatim, route header too",
        "handler-raises": "exception in the handler",
        "redelivery": "a message that is delivered again; acknowledgement and commit as without us",
        "five-lanes": "messages of 5 lanes sent concurrently",
        "worker-in-request": "consumer that runs in another lane's context keeps none of it",
        "instrument-twice": "`auto_instrument()` twice",
        "undo": "`uninstrument()` puts back the identical attributes",
    },
)

CALLBACK = "callbacks only: nothing is pulled"
ONE = "this style gets one message at a time"

MESSAGING.add("kafka-python", kafka.KafkaPython)
MESSAGING.add("confluent-kafka", kafka.Confluent)
MESSAGING.add("aiokafka", kafka.AioKafka)
MESSAGING.add("aiokafka, wait_for", kafka.AioKafkaWaitFor)
MESSAGING.add("pika, callback", amqp.PikaCallback, asked_in_vain=CALLBACK, closed=CALLBACK, batch=ONE)
MESSAGING.add("pika, consume()", amqp.PikaConsume, batch=ONE)
MESSAGING.add("pika, basic_get()", amqp.PikaGet, batch=ONE)
MESSAGING.add("aio-pika, callback", amqp.AioPikaCallback, asked_in_vain=CALLBACK, closed=CALLBACK, batch=ONE)
MESSAGING.add("aio-pika, iterator()", amqp.AioPikaIterator, batch=ONE)
MESSAGING.add("aio-pika, get()", amqp.AioPikaGet, closed="nothing is closed after `get()`", batch=ONE)

WORKER: dict[str, str] = dict.fromkeys(("asked_in_vain", "closed"), "the worker calls the task: nothing is pulled")
WORKER["batch"] = "a task is one message"
NAMED = "the headers can be given by name only"
NO_HEADERS = "a job has no headers of the caller's"

MESSAGING.add("celery", tasks.Celery, **WORKER, positional=NAMED)
MESSAGING.add(
    "rq",
    tasks.Rq,
    **WORKER,
    **dict.fromkeys(("containers", "positional", "same_object_twice", "own_header", "own_baggage"), NO_HEADERS),
)
MESSAGING.add("dramatiq", tasks.Dramatiq, **WORKER, positional="a message's options are an attribute")
MESSAGING.add(
    "arq",
    tasks.Arq,
    **WORKER,
    **dict.fromkeys(("containers", "positional", "same_object_twice", "own_header", "own_baggage"), NO_HEADERS),
)
MESSAGING.add("taskiq", tasks.Taskiq, **WORKER, positional="labels are an attribute of the kicker")
MESSAGING.add(
    "faststream, redis",
    tasks.FastStreamRedis,
    asked_in_vain=CALLBACK,
    closed=CALLBACK,
    positional=NAMED,
    redelivery="a Redis list delivers once",
)
MESSAGING.add(
    "faststream, rabbitmq", tasks.FastStreamRabbit, asked_in_vain=CALLBACK, closed=CALLBACK, batch=ONE, positional=NAMED
)
