"""Every setting of Tocsin: read once, from the environment, with its meaning and default beside it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import environ

from config import embedded, secret
from config.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

# --- Where it runs -----------------------------------------------------------------------------

# Instance directory of the embedded servers and of generated secrets (default: var/ in the checkout).
TOCSIN_HOME = embedded.home()
# Django's debug pages. Never in production.
DEBUG = env.bool("DEBUG", default=False)
# Signs sessions and tokens. Unset: one is generated and kept in TOCSIN_HOME.
SECRET_KEY = env.str("SECRET_KEY", default="") or secret.generated("secret-key")
# Key from which every webhook signing secret is derived. Changing it changes all of them.
WEBHOOK_SIGNING_KEY = env.str("WEBHOOK_SIGNING_KEY", default="") or secret.generated("webhook-signing-key")
# Host names that the web process answers to beside localhost, comma separated.
ALLOWED_HOSTS = [*env.list("ALLOWED_HOSTS", default=[]), "localhost", "127.0.0.1", "[::1]"]
# Origins with scheme that may post forms when TLS ends at a proxy, comma separated.
CSRF_FAILURE_VIEW = "config.forgery.refused"
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# True behind a proxy that ends TLS and sets X-Forwarded-Proto: secure cookies, HSTS, https links.
BEHIND_TLS_PROXY = env.bool("BEHIND_TLS_PROXY", default=False)
# Where people and providers reach the web process from outside: scheme, host and any prefix, no slash at the end.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://localhost:8000").rstrip("/")
# PostgreSQL 18 or later. Unset: the embedded one of TOCSIN_HOME.
DATABASE_URL = env.str("DATABASE_URL", default="") or embedded.database_url()
# Redis 6.2 or later, or Valkey. Unset: the embedded one of TOCSIN_HOME.
REDIS_URL = env.str("REDIS_URL", default="") or embedded.redis_url()
# Requests that one web process answers at once; each of these threads keeps a connection to PostgreSQL.
WEB_THREADS = env.int("WEB_THREADS", default=16)
# Requests that may wait for one of these threads; more are answered with 503 at once.
WEB_WAITING_MAX = env.int("WEB_WAITING_MAX", default=500)
# Seconds that one statement of a request may take, before it is answered with 503; 0: any time.
WEB_STATEMENT_TIMEOUT_S = env.float("WEB_STATEMENT_TIMEOUT_S", default=5.0)
# Lowest level that is logged: DEBUG, INFO, WARNING or ERROR.
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
# "json" for machines, "console" for people.
LOG_FORMAT = env.str("LOG_FORMAT", default="json")

# --- What is accepted ----------------------------------------------------------------------------

# Largest request body in bytes; more gets 413.
REQUEST_MAX_BYTES = env.int("REQUEST_MAX_BYTES", default=1_000_000)
# Bytes that are taken before it is known who sends them; more are taken only from whoever may send them.
REQUEST_ANONYMOUS_MAX_BYTES = env.int("REQUEST_ANONYMOUS_MAX_BYTES", default=65_536)
# Seconds that a body may take in all, and bytes a second that it must bring from the tenth second on; else 408.
REQUEST_BODY_TIMEOUT_S = env.float("REQUEST_BODY_TIMEOUT_S", default=60.0)
REQUEST_BODY_MIN_BYTES_PER_S = env.int("REQUEST_BODY_MIN_BYTES_PER_S", default=1_000)
# Bodies that may be on their way to one web process at once; the next gets 503.
REQUEST_BODIES_MAX = env.int("REQUEST_BODIES_MAX", default=1_000)
# Most values in a JSON body; more get 400.
REQUEST_MAX_VALUES = env.int("REQUEST_MAX_VALUES", default=100_000)
# Deepest nesting of a JSON body; deeper gets 400.
REQUEST_MAX_DEPTH = env.int("REQUEST_MAX_DEPTH", default=20)
# How often may be tried, as "times/period" with sec, min, hour or day; empty: without limit. The first of
# each two is per network address, the second per account (its email). Many people may share an address.
# Log-ins that fail. An address that the account was logged in to from before is not held to the second.
LOGIN_RATE = env.str("LOGIN_RATE", default="10/min")
LOGIN_ACCOUNT_RATE = env.str("LOGIN_ACCOUNT_RATE", default="20/min")
# Registrations.
REGISTER_RATE = env.str("REGISTER_RATE", default="200/hour")
REGISTER_ACCOUNT_RATE = env.str("REGISTER_ACCOUNT_RATE", default="5/hour")
# Who may register by themselves: "open" (anybody), "domains" (who has an address of one of these, or is invited),
# "invitation" or "closed". The staff can always register people, and invite them unless it is closed.
REGISTRATION = env.str("REGISTRATION", default="open")
REGISTRATION_DOMAINS = [name.lower() for name in env.list("REGISTRATION_DOMAINS", default=[])]
# Days for which the link of an invitation is good.
INVITATION_DAYS = env.int("INVITATION_DAYS", default=7)
# Mails to set a new password with (per address: and uses of their links that fail; per account: of which one
# address may use up a quarter).
RESET_RATE = env.str("RESET_RATE", default="200/hour")
RESET_ACCOUNT_RATE = env.str("RESET_ACCOUNT_RATE", default="12/hour")
# Codes sent to verify an email address or phone number.
VERIFY_RATE = env.str("VERIFY_RATE", default="200/hour")
VERIFY_ACCOUNT_RATE = env.str("VERIFY_ACCOUNT_RATE", default="5/hour")
# Codes sent to confirm contact points, per person; and codes to one address or number, whoever asks.
CONTACT_CODE_RATE = env.str("CONTACT_CODE_RATE", default="10/hour")
CODE_DESTINATION_RATE = env.str("CODE_DESTINATION_RATE", default="5/hour")
# Seconds that such a code is valid, and how many wrong ones may be entered before it is void.
CODE_EXPIRES_S = env.int("CODE_EXPIRES_S", default=900)
CODE_ATTEMPTS = env.int("CODE_ATTEMPTS", default=5)
# Seconds that a link to set a new password is valid.
RESET_EXPIRES_S = env.int("RESET_EXPIRES_S", default=3600)
# Seconds that asking for such a link takes at least, account or not; must exceed what making the mail takes.
RESET_ANSWER_S = env.float("RESET_ANSWER_S", default=0.1)
# Exports of all that is stored about a person, per person who asks.
EXPORT_RATE = env.str("EXPORT_RATE", default="6/hour")
# Test sends of contact points per minute and person.
TEST_SEND_RATE = env.str("TEST_SEND_RATE", default="10/min")
# What one person does that others may be told of: changes of their account and contact points, registering for
# an evening and cancelling. The staff and machines are not held to it.
ACT_RATE = env.str("ACT_RATE", default="60/hour")
# Invitations that one person who manages a shop may have mailed. The staff are not held to it.
INVITE_RATE = env.str("INVITE_RATE", default="500/day")
# Contact points that one person may have.
CONTACT_POINTS_MOST = env.int("CONTACT_POINTS_MOST", default=20)
# Text messages and calls to one person, and to one number, that count against them; others are not sent. Alerts,
# escalations, tracing and whatever is critical don't count.
PAID_RATE = env.str("PAID_RATE", default="50/day")
PAID_ADDRESS_RATE = env.str("PAID_ADDRESS_RATE", default="50/day")
# Messages of one kind to one address, of the kinds that people cause themselves.
REPEATS_RATE = env.str("REPEATS_RATE", default="20/day")
# Deliveries to one person within a minute, the inbox aside, after which more wait behind everybody else's.
PERSON_SHARE = env.int("PERSON_SHARE", default=30)
# Beginnings of the phone numbers that may be called and texted, such as +33,+8816; empty: all but costly ones.
PHONE_PREFIXES = env.list("PHONE_PREFIXES", default=[])

# --- Who is contacted, and how ---------------------------------------------------------------------

# What the product calls itself in messages.
PRODUCT_NAME = env.str("PRODUCT_NAME", default="Tocsin")
# Third party that is told about users with no contact point of their own.
THIRD_PARTY_URL = env.str("THIRD_PARTY_URL", default="http://localhost:5000/webhook/notifications/")
# True to try things out: people can choose to be told in the server's own log, which nobody else reads.
CONSOLE_OFFERED = env.bool("CONSOLE_OFFERED", default=False)
# Most deliveries that it is told in one request; 1: each in a request of its own.
THIRD_PARTY_BATCH = env.int("THIRD_PARTY_BATCH", default=1)
# Milliseconds for which the first of these waits for others; at most a quarter of LEASE_S.
THIRD_PARTY_LINGER_MS = env.int("THIRD_PARTY_LINGER_MS", default=0)
# "cloudevents" or "ndjson".
THIRD_PARTY_BATCH_FORMAT = env.str("THIRD_PARTY_BATCH_FORMAT", default="cloudevents")
# SMTP server for the email channel. Empty: no mail is offered.
SMTP_HOST = env.str("SMTP_HOST", default="localhost")
SMTP_PORT = env.int("SMTP_PORT", default=25)
SMTP_USERNAME = env.str("SMTP_USERNAME", default="")
SMTP_PASSWORD = env.str("SMTP_PASSWORD", default="")
# "none", "starttls" or "tls".
SMTP_SECURITY = env.str("SMTP_SECURITY", default="none")
# Sender address of every mail.
MAIL_FROM = env.str("MAIL_FROM", default="tocsin@localhost")
# Subject and text of an escalation's mails; unset: those of its message.
MAIL_SUBJECT = env.str("MAIL_SUBJECT", default="")
MAIL_BODY = env.str("MAIL_BODY", default="")
# So many alert groups of one policy within a minute are told each; more are a storm, with one summary a person.
STORM_GROUPS = env.int("STORM_GROUPS", default=5)
# Hours before somebody's time on call at which they are told of it; 0: only when it begins.
ON_CALL_NOTICE_H = env.int("ON_CALL_NOTICE_H", default=12)
# Seconds between two looks at an external calendar (a layer's ical_url).
ICAL_EVERY_S = env.int("ICAL_EVERY_S", default=900)
# Seconds within which such a calendar has to be there, to its end.
ICAL_TIMEOUT_S = env.float("ICAL_TIMEOUT_S", default=20.0)
# Bytes that such a calendar may have at most.
ICAL_MAX_BYTES = env.int("ICAL_MAX_BYTES", default=4_194_304)
# Hours for which such a calendar can't be read before administrators are told; what was last read still counts.
ICAL_STALE_H = env.float("ICAL_STALE_H", default=6.0)
# Requests of one integration that are taken, as LOGIN_RATE is written; empty: without limit.
INTAKE_RATE = env.str("INTAKE_RATE", default="")
# Who is told where an escalation ended and nobody took it: targets as a policy's step has them, as JSON.
LAST_RESORT = env.json("LAST_RESORT", default=[])
# Hours for which the link in an escalation's message acknowledges it.
ESCALATION_LINK_MAX_AGE_H = env.float("ESCALATION_LINK_MAX_AGE_H", default=24.0)
# Twilio's API, for text messages and phone calls.
TWILIO_BASE_URL = env.str("TWILIO_BASE_URL", default="https://api.twilio.com")
# The account there, and its auth token, which also verifies Twilio's callbacks. Unset: neither is offered.
TWILIO_ACCOUNT_SID = env.str("TWILIO_ACCOUNT_SID", default="")
TWILIO_AUTH_TOKEN = env.str("TWILIO_AUTH_TOKEN", default="")
# Sender of text messages: a number (+33…), a sender name, or a messaging service's SID (MG…). Unset: none are sent.
TWILIO_SMS_FROM = env.str("TWILIO_SMS_FROM", default="")
# Caller id of phone calls (+33…) where the registry of caller ids names none.
TWILIO_CALL_FROM = env.str("TWILIO_CALL_FROM", default="")
# The address of the TwiML that says what calls say. Escalations are said by the product, where PUBLIC_URL is public.
TWILIO_TWIML_URL = env.str("TWILIO_TWIML_URL", default="")
# Whether Twilio listens if a machine answers a call that the product says (it charges for that).
TWILIO_MACHINE_DETECTION = env.bool("TWILIO_MACHINE_DETECTION", default=True)
# Firebase Cloud Messaging, for push messages: a service account's key file, as a path or as its JSON. Unset: none.
FCM_SERVICE_ACCOUNT = env.str("FCM_SERVICE_ACCOUNT", default="")
FCM_BASE_URL = env.str("FCM_BASE_URL", default="https://fcm.googleapis.com")
# Where the account's access tokens come from, if not from where its key file says.
FCM_TOKEN_URL = env.str("FCM_TOKEN_URL", default="")
# Telegram's Bot API, and the bot's token. Unset: not offered.
TELEGRAM_BASE_URL = env.str("TELEGRAM_BASE_URL", default="https://api.telegram.org")
TELEGRAM_BOT_TOKEN = env.str("TELEGRAM_BOT_TOKEN", default="")
# Web Push: the private key by which push services know this server (manage.py new_web_push_key), and where their
# operators reach yours, as a mailto: or https: address. Unset: not offered.
WEB_PUSH_KEY = env.str("WEB_PUSH_KEY", default="")
WEB_PUSH_SUBJECT = env.str("WEB_PUSH_SUBJECT", default="")
# PubNub, and the keys there. Unset: not offered.
PUBNUB_BASE_URL = env.str("PUBNUB_BASE_URL", default="https://ps.pndsn.com")
PUBNUB_PUBLISH_KEY = env.str("PUBNUB_PUBLISH_KEY", default="")
PUBNUB_SUBSCRIBE_KEY = env.str("PUBNUB_SUBSCRIBE_KEY", default="")
# What the product calls itself there.
PUBNUB_UUID = env.str("PUBNUB_UUID", default="tocsin")
# Networks (CIDR, comma separated) within private or loopback space that users' webhooks may reach all the same.
WEBHOOK_ALLOWED_NETWORKS = env.list("WEBHOOK_ALLOWED_NETWORKS", default=[])
# For how long the previous signing secret is still used beside the new one after a rotation, in hours.
WEBHOOK_ROTATION_H = env.float("WEBHOOK_ROTATION_H", default=24.0)
# At most this much of an answer is read, in bytes.
RESPONSE_MAX_BYTES = env.int("RESPONSE_MAX_BYTES", default=65_536)
# Attempts in all, and seconds between them, unless a channel has its own (next line).
RETRY_ATTEMPTS = env.int("RETRY_ATTEMPTS", default=3)
RETRY_WAIT_S = env.float("RETRY_WAIT_S", default=3.0)
# Per channel, as JSON: {"email": {"attempts": 5, "wait_s": 60, "timeout_s": 15, "concurrency": 10, "rate": 5}}.
CHANNEL_POLICIES = env.json("CHANNEL_POLICIES", default={})
# Seconds that one send may take in all, connecting included.
SEND_TIMEOUT_S = env.float("SEND_TIMEOUT_S", default=10.0)
# Longest Retry-After that is honoured, in seconds; a longer one is cut to this.
RETRY_AFTER_MAX_S = env.float("RETRY_AFTER_MAX_S", default=3600.0)
# Age in hours at which a delivery that was never possible expires.
DELIVERY_MAX_AGE_H = env.float("DELIVERY_MAX_AGE_H", default=24.0)

# --- Where pairs meet (dating) ---------------------------------------------------------------------

# The built-in room: servers that tell a browser its address as others see it (STUN), comma separated.
ROOM_STUN_URLS = env.list("ROOM_STUN_URLS", default=["stun:stun.cloudflare.com:3478"])
# Servers that pass calls on where two browsers don't reach each other (TURN), as turn:host:port or turns:…, and the
# secret that coturn has as static-auth-secret. Unset: such pairs don't see each other.
ROOM_TURN_URLS = env.list("ROOM_TURN_URLS", default=[])
ROOM_TURN_SECRET = env.str("ROOM_TURN_SECRET", default="")
# Whether all calls go through these, so that nobody learns their partner's network address.
ROOM_RELAY_ONLY = env.bool("ROOM_RELAY_ONLY", default=False)
# What one person's page may ask of the room: coming in, and telling the partner's page how to connect.
ROOM_SIGNAL_RATE = env.str("ROOM_SIGNAL_RATE", default="240/min")
# A Jitsi Meet of one's own: where it is (unset: not offered), and the application id and secret of one that lets
# in nobody without a token (JWT).
JITSI_BASE_URL = env.str("JITSI_BASE_URL", default="")
JITSI_APP_ID = env.str("JITSI_APP_ID", default="")
JITSI_APP_SECRET = env.str("JITSI_APP_SECRET", default="")
# For whom these tokens are ("sub"): its XMPP domain, where that is not the host of JITSI_BASE_URL, or *.
JITSI_JWT_SUB = env.str("JITSI_JWT_SUB", default="")
# Google Meet's API, and the token file of the account that owns the rooms. Unset: it is not offered.
GOOGLE_MEET_BASE_URL = env.str("GOOGLE_MEET_BASE_URL", default="https://meet.googleapis.com")
GOOGLE_MEET_TOKEN_FILE = env.str("GOOGLE_MEET_TOKEN_FILE", default="")
# Where that file's refresh token is exchanged for access tokens.
GOOGLE_MEET_TOKEN_URL = env.str("GOOGLE_MEET_TOKEN_URL", default="https://oauth2.googleapis.com/token")
# Rooms that the account may make there, as "times/period"; Google's own quota by default.
GOOGLE_MEET_RATE = env.str("GOOGLE_MEET_RATE", default="10/min")

# --- Who may meet whom (dating) --------------------------------------------------------------------

# Age from which people can take part in evenings; 0: any.
DATING_LEAST_AGE = env.int("DATING_LEAST_AGE", default=18)

# --- The engine ------------------------------------------------------------------------------------

# Sends under way at once, in one worker, to all destinations together and to one of them.
SENDER_CONCURRENCY = env.int("SENDER_CONCURRENCY", default=1024)
LANE_CONCURRENCY = env.int("LANE_CONCURRENCY", default=64)
# Seconds that a claimed delivery stays with a worker that says nothing; must exceed every channel's timeout.
LEASE_S = env.float("LEASE_S", default=30.0)
# Seconds between two writes of outcomes.
FLUSH_S = env.float("FLUSH_S", default=0.1)
# The circuit breaker opens for a destination after so many failures in a row over at least so many seconds…
BREAKER_FAILURES = env.int("BREAKER_FAILURES", default=20)
BREAKER_AFTER_S = env.float("BREAKER_AFTER_S", default=30.0)
# …and probes it again after so many seconds, doubling up to the maximum.
BREAKER_PROBE_S = env.float("BREAKER_PROBE_S", default=5.0)
BREAKER_PROBE_MAX_S = env.float("BREAKER_PROBE_MAX_S", default=60.0)
# Members that one statement fans out to; a larger shop takes several, so that sending starts at once.
FANOUT_CHUNK = env.int("FANOUT_CHUNK", default=5_000)

# --- History ---------------------------------------------------------------------------------------

# Days for which alerts, deliveries and attempts are kept; months that are older are dropped as a whole. 0: for ever.
HISTORY_RETENTION_DAYS = env.int("HISTORY_RETENTION_DAYS", default=400)
# Where months go before they are dropped: a directory, file:///… or s3://bucket/prefix. Unset: nowhere.
ARCHIVE_URL = env.str("ARCHIVE_URL", default="")

# --- Events ----------------------------------------------------------------------------------------

# Seconds until a handler that failed is tried again; each further wait is four times as long, up to ten minutes.
EVENT_RETRY_WAIT_S = env.float("EVENT_RETRY_WAIT_S", default=2.0)
# Days for which an event that is done with is kept.
EVENT_RETENTION_DAYS = env.int("EVENT_RETENTION_DAYS", default=90)

# --- Brokers ----------------------------------------------------------------------------------------

# RabbitMQ, as amqp://user:password@host:5672/vhost. Unset: nothing is read from it, nothing published to it.
RABBITMQ_URL = env.str("RABBITMQ_URL", default="")
# The topic exchange of events, the queue that this service reads there, and what it is bound for.
EVENTS_EXCHANGE = env.str("EVENTS_EXCHANGE", default="events.topic")
EVENTS_QUEUE = env.str("EVENTS_QUEUE", default="tocsin.events")
EVENTS_KEYS = env.list(
    "EVENTS_KEYS",
    default=["auth.user.*", "student.*", "encadrant.*", "stage.*", "evaluation.*", "grade.*", "offer.*"],
)
# Whether the product's own events are published there, where RABBITMQ_URL is set.
EVENTS_PUBLISHED = env.bool("EVENTS_PUBLISHED", default=True)
# The dating bot: its direct exchange, the queue of its commands, and that of what it is answered and told.
DATING_EXCHANGE = env.str("DATING_EXCHANGE", default="chathub_direct_main")
DATING_QUEUE = env.str("DATING_QUEUE", default="date_maker_prod")
DATING_REPLY_QUEUE = env.str("DATING_REPLY_QUEUE", default="tg_bot_prod")
# The time zone of the times in the bot's list of events, which say none; the original's people live by this one.
DATING_BOT_TIME_ZONE = env.str("DATING_BOT_TIME_ZONE", default="Europe/Moscow")
# Seconds after which an evening that was paused ends by itself; at half of them its organiser is reminded.
DATING_PAUSE_MAX_S = env.int("DATING_PAUSE_MAX_S", default=7200)
# Amazon SQS: region, and where it is if not at AWS. Keys as boto3 takes them: AWS_ACCESS_KEY_ID, a role, ….
SQS_REGION = env.str("SQS_REGION", default="eu-west-1")
SQS_ENDPOINT_URL = env.str("SQS_ENDPOINT_URL", default="")
# Names of the queues there: escalation requests (FIFO), and what phones report. Unset: not read.
SQS_ESCALATION_QUEUE = env.str("SQS_ESCALATION_QUEUE", default="")
SQS_TRACING_QUEUE = env.str("SQS_TRACING_QUEUE", default="")
# How often a message is tried in all before it becomes a dead letter.
MESSAGE_ATTEMPTS = env.int("MESSAGE_ATTEMPTS", default=5)
# Seconds until it is tried again; each further wait is twice as long, up to half a minute.
MESSAGE_RETRY_WAIT_S = env.float("MESSAGE_RETRY_WAIT_S", default=1.0)
# Bytes of a dead letter's body that are kept; one that is cut can't be replayed.
MESSAGE_KEPT_BYTES = env.int("MESSAGE_KEPT_BYTES", default=262_144)
# More sources, or other values for these, as JSON by name: {"events": {"prefetch": 50}}. See docs/brokers.md.
SOURCES_CHANGED = env.json("SOURCES", default={})

SOURCES: dict[str, dict[str, Any]] = {
    "events": {
        "url": RABBITMQ_URL,
        "exchange": EVENTS_EXCHANGE,
        "exchange_type": "topic",
        "queue": EVENTS_QUEUE,
        "keys": EVENTS_KEYS,
        "format": "events",
    },
    "dating": {
        "url": RABBITMQ_URL,
        "exchange": DATING_EXCHANGE,
        "exchange_type": "direct",
        "queue": DATING_QUEUE,
        "keys": [DATING_QUEUE],
        "answers_to": [DATING_REPLY_QUEUE],
        "format": "dating",
    },
    "escalation": {
        "url": "sqs://" if SQS_ESCALATION_QUEUE else "",
        "queue": SQS_ESCALATION_QUEUE,
        "format": "escalation",
        "ordered": True,
    },
    "tracing": {
        "url": "sqs://" if SQS_TRACING_QUEUE else "",
        "queue": SQS_TRACING_QUEUE,
        "format": "tracing",
    },
}
for _name, _changes in SOURCES_CHANGED.items():
    SOURCES[_name] = SOURCES.get(_name, {}) | _changes

# --- Tracing: what phones saw of each other --------------------------------------------------------

# Days that are looked back, and for which interactions are kept; a day's partition is dropped when it is older.
TRACING_RETENTION_DAYS = env.int("TRACING_RETENTION_DAYS", default=14)
# Days for which partitions are made ahead.
TRACING_PARTITIONS_AHEAD_DAYS = env.int("TRACING_PARTITIONS_AHEAD_DAYS", default=3)
# Seconds that a phone's clock may be ahead of ours: later records are refused.
TRACING_CLOCK_SKEW_S = env.int("TRACING_CLOCK_SKEW_S", default=300)
# Most records in one upload, and its size in bytes, as sent and once more after it is unpacked.
TRACING_UPLOAD_MAX_RECORDS = env.int("TRACING_UPLOAD_MAX_RECORDS", default=100_000)
TRACING_UPLOAD_MAX_BYTES = env.int("TRACING_UPLOAD_MAX_BYTES", default=40_000_000)
# Processes that read large uploads; and of each, the memory that it may take in MB, and seconds for an upload.
TRACING_READERS = env.int("TRACING_READERS", default=2)
TRACING_READER_MAX_MB = env.int("TRACING_READER_MAX_MB", default=768)
TRACING_READER_TIMEOUT_S = env.float("TRACING_READER_TIMEOUT_S", default=20.0)
# Whether the signal strength and platform of each record are kept, which no search reads (8 bytes a record).
TRACING_KEEP_SIGNAL = env.bool("TRACING_KEEP_SIGNAL", default=False)
# Whether the positions that records may carry are kept.
TRACING_KEEP_POSITIONS = env.bool("TRACING_KEEP_POSITIONS", default=False)
# Marks of devices that one API key may make.
TRACING_MARK_RATE = env.str("TRACING_MARK_RATE", default="600/min")
# True: only a device that is suspect (status 2) can be marked as infected.
TRACING_SUSPECT_FIRST = env.bool("TRACING_SUSPECT_FIRST", default=False)
# Where notices lead, for more to read; {status}, {language} and {filter} are filled in. Empty: nowhere.
TRACING_LINK = env.str("TRACING_LINK", default="")
# When open cases are searched again for what was uploaded since: minute, hour, day, month, weekday (UTC).
TRACING_CHECK_CRON = env.str("TRACING_CHECK_CRON", default="*/15 * * * *")
# Days after which a case that nobody closes is closed, and after which a closed one is deleted with all of it.
TRACING_CASE_OPEN_DAYS = env.int("TRACING_CASE_OPEN_DAYS", default=28)
TRACING_CASE_DAYS = env.int("TRACING_CASE_DAYS", default=14)
# Days for which it is kept who looked at which case.
TRACING_READING_DAYS = env.int("TRACING_READING_DAYS", default=365)
# Counts of people lower than this are not shown in aggregates.
TRACING_MIN_COUNT = env.int("TRACING_MIN_COUNT", default=5)

# --- What is kept, and for how long: see "What ends when" in docs/operations.md ----------------------

# Days after which addresses in the history are erased, and nothing is replayed any more; 0: with the history.
ADDRESS_RETENTION_DAYS = env.int("ADDRESS_RETENTION_DAYS", default=90)
# Days for which dead letters are kept, of events and of brokers, and what can't be published.
DEAD_LETTER_RETENTION_DAYS = env.int("DEAD_LETTER_RETENTION_DAYS", default=90)
# Days for which it is kept who did what by hand: the admin's log, replays and cancellings.
ACTION_RETENTION_DAYS = env.int("ACTION_RETENTION_DAYS", default=400)
# Days for which it is kept what integrations sent, as they sent it.
INTAKE_RETENTION_DAYS = env.int("INTAKE_RETENTION_DAYS", default=30)
# Days for which escalations and alert groups that are over are kept, and deleted policies and schedules.
ESCALATION_RETENTION_DAYS = env.int("ESCALATION_RETENTION_DAYS", default=400)
# Days for which dating evenings that are over are kept, with who was there and what they said of each other.
DATING_RETENTION_DAYS = env.int("DATING_RETENTION_DAYS", default=400)

# --- The inbox's streams -----------------------------------------------------------------------------

# Seconds after which a silent stream gets a heartbeat, and one ends whose log-in is over though nobody said so.
STREAM_HEARTBEAT_S = env.float("STREAM_HEARTBEAT_S", default=15.0)
# Seconds for which a client may leave unread what was sent to it, before it is cut off.
STREAM_STALL_S = env.float("STREAM_STALL_S", default=30.0)
# Streams that one person may have open at one web process; one more ends the oldest.
STREAMS_PER_PERSON = env.int("STREAMS_PER_PERSON", default=20)
# Streams that one web process serves; more are refused with 503.
STREAMS_MAX = env.int("STREAMS_MAX", default=5_000)
# Streams of these that one network address may have open; more get 429.
STREAMS_PER_ADDRESS = env.int("STREAMS_PER_ADDRESS", default=2_500)

# --- Django ------------------------------------------------------------------------------------------

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = True
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français"), ("ru", "Русский")]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
FIXTURE_DIRS = [BASE_DIR / "fixtures"]
LOGIN_URL = "web:login"
DATA_UPLOAD_MAX_MEMORY_SIZE = REQUEST_MAX_BYTES
# Paths that take larger bodies than REQUEST_MAX_BYTES, with the setting that limits theirs.
LARGE_BODIES = {"/api/v1/tracing/interactions": "TRACING_UPLOAD_MAX_BYTES"}

INSTALLED_APPS = [
    "notifications",
    "accounts",
    "escalation",
    "tracing",
    "dating",
    "unfold.apps.BasicAppConfig",  # without its own site: ours is named by the next
    "config.admin_site.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework_simplejwt.token_blacklist",
    "django_htmx",
    "django_rq",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.static.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "notifications.web.context.bar",
            ]
        },
    }
]

DATABASES = {"default": environ.Env.db_url_config(DATABASE_URL)}
# Django's own, but a connection that can't write is replaced.
DATABASES["default"]["ENGINE"] = "config.postgresql"
# Kept for as long as its thread, and looked at before each request: PostgreSQL may have restarted.
DATABASES["default"]["CONN_MAX_AGE"] = None
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# For the engine's own statements, whose planning costs more than running them; Django's are never prepared.
DATABASES["default"]["OPTIONS"] = {**DATABASES["default"].get("OPTIONS", {}), "prepare_threshold": 2}
DATABASES["default"]["TEST"] = {"NAME": "test_tocsin"}

CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

PASSWORD_HASHERS = [
    "accounts.hashers.LeanArgon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Serves static files straight from the packages that carry them, so that no collectstatic step is needed.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

SESSION_ENGINE = "accounts.session_keys"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = BEHIND_TLS_PROXY
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS_PROXY else 0
# Probes come from beside the process, not through the proxy.
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics"]

# --- REST ----------------------------------------------------------------------------------------------

# By scope; those of accounts are counted by accounts.rate_limits.
RATES: dict[str, str | None] = {
    "login": LOGIN_RATE or None,
    "login-account": LOGIN_ACCOUNT_RATE or None,
    "password-check": LOGIN_RATE or None,
    "register": REGISTER_RATE or None,
    "register-account": REGISTER_ACCOUNT_RATE or None,
    "reset": RESET_RATE or None,
    "reset-account": RESET_ACCOUNT_RATE or None,
    "verify": VERIFY_RATE or None,
    "verify-account": VERIFY_ACCOUNT_RATE or None,
    "export": EXPORT_RATE or None,
    "contact-code": CONTACT_CODE_RATE or None,
    "code-destination": CODE_DESTINATION_RATE or None,
    "test-send": TEST_SEND_RATE or None,
    "act": ACT_RATE or None,
    "invite": INVITE_RATE or None,
    "paid": PAID_RATE or None,
    "paid-address": PAID_ADDRESS_RATE or None,
    "repeats": REPEATS_RATE or None,
    "tracing-mark": TRACING_MARK_RATE or None,
    "google-meet": GOOGLE_MEET_RATE or None,
    "room-signal": ROOM_SIGNAL_RATE or None,
    "intake": INTAKE_RATE or None,
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.ApiKeyAuthentication",
        "accounts.api.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.permissions.ByTheTable"],
    "DEFAULT_PARSER_CLASSES": ["config.rest.api.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.rest.api.JSONOnly",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "config.rest.api.NewestFirst",
    "PAGE_SIZE": 50,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_RATES": RATES,
    "EXCEPTION_HANDLER": "config.rest.api.exception_handler",
    # Whose address throttles count: the proxy's word for it is taken only where there is a proxy.
    "NUM_PROXIES": 1 if BEHIND_TLS_PROXY else 0,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "USER_ID_FIELD": "uuid",
    "USER_ID_CLAIM": "sub",
    # Tokens go by the clock of the machine that issued them: another one's may be so far behind, or ahead.
    "LEEWAY": timedelta(seconds=30),
    # A changed password ends every token that was issued before.
    "CHECK_REVOKE_TOKEN": True,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Tocsin",
    "DESCRIPTION": "Makes sure the right people are told, by the right channel, at the right time, and can prove it.",
    "VERSION": "0.1.0",
    "SERVE_PERMISSIONS": ["accounts.api.permissions.ByTheTable"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "TracingCaseStateEnum": "tracing.models.Case.State",
        "TracingDeviceStatusEnum": "tracing.models.Device.Status",
        "TracingPlatformEnum": "tracing.models.Device.Platform",
        "DeadMessageStateEnum": "notifications.models.DeadMessage.State",
        "DeliveryStatusEnum": "notifications.models.Delivery.Status",
        "OwnChannelEnum": "notifications.services.own_steps.own_step_channels",
        "HandlerRunStatusEnum": "notifications.models.HandlerRun.Status",
        "EscalationStateEnum": "escalation.models.EscalationProcess.State",
        "AlertGroupStateEnum": "escalation.models.AlertGroup.State",
        "AlertActEnum": "escalation.models.AlertOccurrence.Act",
        "AlertOutcomeEnum": "escalation.api.integration_serializers.OUTCOMES",
        "RotationKindEnum": "escalation.services.rotations.KINDS",
        "DatingReactionKindEnum": "dating.models.Reaction.Kind",
        "DatingEventStateEnum": "dating.models.State",
        "DatingRegistrationStateEnum": "dating.models.Registration.State",
    },
}

# --- RQ --------------------------------------------------------------------------------------------------

# In the order in which workers take from them; notifications.queue says what they are for.
RQ_QUEUES = {
    name: {
        "URL": REDIS_URL,
        "DEFAULT_TIMEOUT": 300,
        "DEFAULT_RESULT_TTL": 300,
        "SERIALIZER": "rq.serializers.JSONSerializer",
        "REDIS_CLIENT_KWARGS": {"socket_connect_timeout": 2},
    }
    for name in ("urgent", "default", "slow")
}
RQ = {
    "WORKER_CLASS": "notifications.engine.worker.Worker",
    "QUEUE_CLASS": "config.jobs.Queue",
    "JOB_CLASS": "config.jobs.Job",
    "SCHEDULER_CLASS": "config.schedule.Scheduler",
    "COMMIT_MODE": "on_db_commit",
}

# --- The admin -----------------------------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Tocsin",
    "SITE_HEADER": "Tocsin",
    "SITE_SYMBOL": "notifications_active",
    "SHOW_VIEW_ON_SITE": False,
    "LOGIN": {"form": "accounts.forms.AdminLogIn"},
}

# --- Logging ---------------------------------------------------------------------------------------------------

LOGGING_CONFIG = "config.logs.configure"
LOGGING = {"level": LOG_LEVEL, "format": LOG_FORMAT}
