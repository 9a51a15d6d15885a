"""Addresses of the drivers' pages. A label's address has no slash at its end: it is printed, and short."""

from django.urls import path

from cms.drivers.views import account, cards, charging, places

urlpatterns = [
    path("", places.home, name="drivers-home"),
    path("sites/", places.site_list, name="sites"),
    path("sites/<str:id>/", places.site_detail, name="site"),
    path("c/<str:code>", places.connector, name="connector"),
    path("c/<str:code>/", places.connector),
    path("c/<str:code>/start/", places.start, name="driver-start-here"),
    path("me/", account.account, name="driver-account"),
    path("me/register/", account.register, name="driver-register"),
    path("me/register/sent/", account.mail_sent, name="driver-mail-sent"),
    path("me/register/again/", account.resend, name="driver-resend"),
    path("me/confirm/<str:token>/", account.confirm, name="driver-confirm"),
    path("me/password/", account.password_reset, name="driver-password"),
    path("me/password/done/", account.password_done, name="driver-password-done"),
    path(
        "me/password/<str:uidb64>/<str:token>/",
        account.PasswordSet.as_view(),
        name="driver-password-set",
    ),
    path("me/starts/<str:id>/", charging.start_progress, name="driver-start"),
    path("me/sessions/", charging.session_list, name="driver-sessions"),
    path("me/sessions/<str:id>/", charging.session_detail, name="driver-session"),
    path("me/sessions/<str:id>/stop/", charging.session_stop, name="driver-session-stop"),
    path("me/sessions/<str:id>/receipt.pdf", charging.receipt_file, name="driver-receipt"),
    path("me/cards/", cards.card_list, name="driver-cards"),
    path("me/cards/add/", cards.card_add, name="driver-card-add"),
    path("me/cards/claims/<str:id>/", cards.card_claim, name="driver-card-claim"),
    path("me/cards/<str:id>/block/", cards.card_block, name="driver-card-block"),
]
