"""Where Twilio finds what calls say; see notifications.channels.phone.channel.VOICE_PATH."""

from django.urls import path

from escalation.voice.views import call_answered, key_pressed

urlpatterns = [
    path("voice/<uuid:delivery_id>/", call_answered, name="voice"),
    path("voice/<uuid:delivery_id>/key/", key_pressed, name="voice-key"),
]
