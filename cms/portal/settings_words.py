"""What the settings of a station do, in our words, by their names in OCPP 1.6 (§9) and its security extension."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SETTINGS: dict[str, str | Promise] = {
    "AllowOfflineTxForUnknownId": _(
        "Whether cards it does not know may charge while it is offline"
    ),
    "AuthorizationKey": _("Its password; never shown"),
    "AuthorizationCacheEnabled": _("Whether it remembers the cards it has asked us about"),
    "AuthorizeRemoteTxRequests": _("Whether it asks about a card again when we tell it to start"),
    "ChargeProfileMaxStackLevel": _("How many charging profiles can lie over each other"),
    "ClockAlignedDataInterval": _("Seconds between readings by the clock; 0 for none"),
    "ConnectionTimeOut": _("Seconds a driver has between card and plug"),
    "ConnectorPhaseRotation": _("How each connector's phases are wired"),
    "CpoName": _("The operator's name as in its certificate"),
    "GetConfigurationMaxKeys": _("How many settings one question may name"),
    "HeartbeatInterval": _("Seconds between its signs of life"),
    "LightIntensity": _("Brightness of its lights in percent"),
    "LocalAuthListEnabled": _("Whether it keeps a list of cards of its own"),
    "LocalAuthListMaxLength": _("How many cards its list can hold"),
    "LocalAuthorizeOffline": _("Whether cards it knows may charge while it is offline"),
    "LocalPreAuthorize": _("Whether cards it knows start at once, before we have answered"),
    "MaxEnergyOnInvalidId": _("Wh that may still flow on a card that turned out invalid"),
    "MeterValueSampleInterval": _("Seconds between readings during a session"),
    "MeterValuesAlignedData": _("What it measures by the clock"),
    "MeterValuesSampledData": _("What it measures during a session"),
    "MinimumStatusDuration": _("Seconds a status must last before it is told"),
    "NumberOfConnectors": _("How many connectors it has"),
    "ResetRetries": _("How often it tries a restart that failed"),
    "SecurityProfile": _("How it signs in: 1 password, 2 with TLS, 3 client certificate"),
    "StopTransactionOnEVSideDisconnect": _("Whether unplugging at the vehicle ends the session"),
    "StopTransactionOnInvalidId": _("Whether a card that turns out invalid ends its session"),
    "StopTxnAlignedData": _("Readings by the clock that it sends at the end of a session"),
    "StopTxnSampledData": _("Readings that it sends at the end of a session"),
    "SupportedFeatureProfiles": _("Which parts of OCPP it speaks"),
    "TransactionMessageAttempts": _("How often it repeats a session's message that failed"),
    "TransactionMessageRetryInterval": _("Seconds before it repeats such a message"),
    "UnlockConnectorOnEVSideDisconnect": _("Whether unplugging at the vehicle unlocks the cable"),
    "WebSocketPingInterval": _("Seconds between its pings; 0 for none"),
}
