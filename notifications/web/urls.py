"""The routes of the pages."""

from django.urls import path

from accounts.models import Verification
from notifications.services.delivery_actions import delivery_cancel, delivery_replay
from notifications.web.console import done, panels, sending, work
from notifications.web.views import (
    account,
    accounts,
    console,
    history,
    inbox,
    inviting,
    keys,
    leaving,
    people,
    points,
    preferences,
    session,
    shared,
    shops,
    trying,
    what_if,
    worker,
)

PHONE = Verification.Purpose.PHONE

panels.register(sending.PANEL)
panels.register(work.PANEL)
done.register(done.deliveries)
done.register(done.in_admin)

app_name = "web"
urlpatterns = [
    path("", session.StartPage.as_view(), name="start"),
    path("console/", console.NowPage.as_view(), name="console"),
    path("console/stream/", console.StreamPage.as_view(), name="console-stream"),
    path("console/done/", console.DonePage.as_view(), name="done"),
    path("console/history/", history.HistoryPage.as_view(), name="history"),
    path("console/history/replay/", history.ReplayPage.as_view(), name="history-replay"),
    path("console/history/cancel/", history.CancelPage.as_view(), name="history-cancel"),
    path("keys/", keys.KeysPage.as_view(), name="keys"),
    path("keys/<uuid:key_id>/", keys.KeyPage.as_view(), name="key"),
    path("keys/<uuid:key_id>/arrival/<uuid:alert_uuid>/", keys.ArrivalPage.as_view(), name="key-arrival"),
    path("keys/<uuid:key_id>/revoke/", keys.RevokePage.as_view(), name="key-revoke"),
    path("settings/webhooks/verify/", keys.VerifyPage.as_view(), name="verify-webhooks"),
    path("console/history/views/", history.SaveView.as_view(), name="view-save"),
    path("console/history/views/<uuid:view_id>/remove/", history.RemoveView.as_view(), name="view-remove"),
    path("console/people/<uuid:user_id>/", people.PersonPage.as_view(), name="person"),
    path("console/people/<uuid:user_id>/what-if/", what_if.PersonWhatIfPage.as_view(), name="person-what-if"),
    path("console/points/<uuid:point_id>/test/", trying.TryPage.as_view(), name="point-try"),
    path("console/deliveries/<uuid:delivery_id>/", history.DeliveryPage.as_view(), name="delivery"),
    path(
        "console/deliveries/<uuid:delivery_id>/replay/",
        history.DeliveryChange.as_view(act=staticmethod(delivery_replay)),
        name="delivery-replay",
    ),
    path(
        "console/deliveries/<uuid:delivery_id>/cancel/",
        history.DeliveryChange.as_view(act=staticmethod(delivery_cancel)),
        name="delivery-cancel",
    ),
    path("console/setup/", console.SetupPage.as_view(), name="setup"),
    path("console/find/", console.FindPage.as_view(), name="find"),
    path("invite/", inviting.InvitePage.as_view(), name="invite"),
    path("join/", inviting.JoinPage.as_view(), name="join"),
    path("shops/", shops.ShopsPage.as_view(), name="shops"),
    path("shops/<slug:shop>/", shops.ShopPage.as_view(), name="shop"),
    path("shops/<slug:shop>/test/", shops.ShopTest.as_view(), name="shop-test"),
    path(
        "shops/<slug:shop>/members/<uuid:user_id>/remove/", shops.MemberRemove.as_view(), name="member-remove"
    ),
    path(
        "shops/<slug:shop>/members/<uuid:user_id>/manager/",
        shops.MemberManager.as_view(),
        name="member-manager",
    ),
    path("shops/<slug:shop>/points/<uuid:point_id>/test/", shops.MemberTry.as_view(), name="member-try"),
    path(
        "shops/<slug:shop>/invitations/<uuid:invitation_id>/withdraw/",
        shops.InvitationWithdraw.as_view(),
        name="invitation-withdraw",
    ),
    path(
        "shops/<slug:shop>/invitations/<uuid:invitation_id>/again/",
        shops.InvitationAgain.as_view(),
        name="invitation-again",
    ),
    path("sw.js", worker.WorkerPage.as_view(), name="worker"),
    path("language/", session.LanguagePage.as_view(), name="language"),
    path("login/", session.LoginPage.as_view(), name="login"),
    path("logout/", session.LogoutPage.as_view(), name="logout"),
    path("register/", accounts.RegisterPage.as_view(), name="register"),
    path("forgotten-password/", accounts.ForgottenPage.as_view(), name="forgotten"),
    # What mails link to: notifications.messages.placeholders.
    path("reset-password/", accounts.ResetPage.as_view(), name="reset"),
    path("verify-email/", account.VerifyLinkPage.as_view(), name="verify-email"),
    path("verify-phone/", account.VerifyLinkPage.as_view(purpose=PHONE), name="verify-phone"),
    path("inbox/", inbox.InboxPage.as_view(), name="inbox"),
    path("inbox/news/", inbox.NewsPage.as_view(), name="inbox-news"),
    path("inbox/read/", inbox.MarkAllPage.as_view(), name="inbox-read-all"),
    path("inbox/read/<int:read_at>/undo/", inbox.UndoReadPage.as_view(), name="inbox-undo-read"),
    path("inbox/<uuid:item_id>/read/", inbox.MarkPage.as_view(), name="inbox-read"),
    path("inbox/<uuid:item_id>/unread/", inbox.MarkPage.as_view(read=False), name="inbox-unread"),
    path("inbox/<uuid:item_id>/delete/", inbox.DeletePage.as_view(), name="inbox-delete"),
    path("inbox/<uuid:item_id>/snooze/", inbox.SnoozePage.as_view(), name="inbox-snooze"),
    path("inbox/<uuid:item_id>/wake/", inbox.WakePage.as_view(), name="inbox-wake"),
    path("inbox/<uuid:item_id>/restore/", inbox.RestorePage.as_view(), name="inbox-restore"),
    path("preferences", shared.preferences),
    path("preferences/", shared.preferences, name="preferences"),
    # Elsewhere than below /preferences/, which belongs to the API but for this one page.
    path("settings/telling/", preferences.TellingSection.as_view(), name="telling"),
    path("settings/hours/", preferences.HoursSection.as_view(), name="hours"),
    path("settings/what-if/", what_if.WhatIfPage.as_view(), name="what-if"),
    path("settings/steps/", preferences.OwnStepsSection.as_view(), name="own-steps"),
    path("settings/rules/remove/", preferences.RuleRemove.as_view(), name="rule-remove"),
    path("settings/rules/restore/", preferences.RuleRestore.as_view(), name="rule-restore"),
    path("settings/points/", preferences.NewPointSection.as_view(), name="point-add"),
    path("settings/points/<uuid:point_id>/", points.SentPage.as_view(), name="point"),
    path("settings/points/<uuid:point_id>/test/", preferences.PointTest.as_view(), name="point-test"),
    path("settings/points/<uuid:point_id>/code/", preferences.PointCode.as_view(), name="point-code"),
    path(
        "settings/points/<uuid:point_id>/confirm/", preferences.PointConfirm.as_view(), name="point-confirm"
    ),
    path("settings/points/<uuid:point_id>/switch/", preferences.PointSwitch.as_view(), name="point-switch"),
    path("settings/points/<uuid:point_id>/remove/", preferences.PointRemove.as_view(), name="point-remove"),
    path(
        "settings/points/<uuid:point_id>/restore/", preferences.PointRestore.as_view(), name="point-restore"
    ),
    path("settings/points/<uuid:point_id>/secret/", preferences.PointSecret.as_view(), name="point-secret"),
    path("account/", account.AccountPage.as_view(), name="account"),
    path("account/details/", account.DetailsSection.as_view(), name="details"),
    path("account/email/", account.EmailSection.as_view(), name="email"),
    path("account/password/", account.PasswordSection.as_view(), name="password"),
    path("account/export/", leaving.ExportPage.as_view(), name="export"),
    path("account/leave/", leaving.LeavePage.as_view(), name="leave"),
    path("account/links/", account.LinksSection.as_view(), name="links"),
    path("account/email/code/", account.SendCodeSection.as_view(), name="email-code"),
    path("account/email/confirm/", account.ConfirmSection.as_view(), name="email-confirm"),
    path(
        "account/phone/code/",
        account.SendCodeSection.as_view(name="phone_code", purpose=PHONE),
        name="phone-code",
    ),
    path(
        "account/phone/confirm/",
        account.ConfirmSection.as_view(name="phone_code", purpose=PHONE),
        name="phone-confirm",
    ),
]
