"""What the secrets of makers look like: how each begins, and what follows at the least.

Facts (beginnings, alphabets, lengths) after scanners that are kept well, of 2026-08, each named beside its entry:
G gitleaks 8, config/gitleaks.toml (MIT); T trufflehog 3, pkg/detectors (facts alone are taken); D detect-secrets 1.5
(Apache-2.0); M the maker's own documentation. Where they differ the shorter length is taken.

Rules
- `rest` is what follows the beginning, at the least: it holds only signs of `RUN`, and no more than `LOOK` of them with
  the beginning, which has no sign inside that ends a word. What goes on behind it belongs to the secret: letters,
  digits, `_` and `-`, or what `more` says.
- One that is `exact` ends there, and is none if a letter or digit follows.
- A beginning that words have too asks for a digit in what follows (`_d`).
"""

from __future__ import annotations

from typing import NamedTuple

LOOK = 256
"""The most characters that are needed to tell a secret."""

RUN = r"0-9A-Za-z_\-./+=~%&?@:!$|"
"""The signs of secrets, as the inside of a character class."""


ENCODED = "encoded private key"
"""The rule of a key's block that is itself in base 64; it goes on over lines."""


class Maker(NamedTuple):
    rule: str
    beginnings: str
    rest: str
    source: str
    more: str = r"[0-9A-Za-z_-]*"
    exact: bool = False


_a, _w, _h, _b = "[0-9A-Za-z]", "[0-9A-Za-z_-]", "[0-9a-f]", "[0-9A-Za-z+/]"
_d = r"(?=[A-Za-z_-]{0,64}[0-9])"
_mixed = "(?=[0-9a-z]{0,33}[A-Z])(?=[0-9A-Z]{0,33}[a-z])"
_uuid = rf"{_h}{{8}}-(?:{_h}{{4}}-){{3}}{_h}{{12}}"
_jwt = rf"{_w}{{10,}}\.(?:eyJ{_w}{{10,}}|{_w}{{32,}}|{_w}{{10,}}\.{_w}{{10,}}|\.{_w}{{10,}})"
_BASE64 = r"[0-9A-Za-z+/=_-]*"
_PATH = r"[0-9A-Za-z_/+=%&?@-]*"
_DOTTED = r"(?:[0-9A-Za-z_=-]|\.(?=[0-9A-Za-z_=-]))*"

_KEY_LABELS = (
    "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0 LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVkt LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0"
    " LS0tLS1CRUdJTiBEU0EgUFJJVkFURSBLRVkt LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUg LS0tLS1CRUdJTiBFTkNSWVBURUQgUFJJ"
    " LS0tLS1CRUdJTiBQR1AgUFJJVkFURSBL"
)
"""`-----BEGIN PRIVATE KEY` and its kin, in base 64."""

MAKERS = (
    # tokens of every maker
    Maker("jwt", "eyJ", _jwt, "G T D", _DOTTED),
    Maker("jwt", "eyJ", rf"(?!2ZXJzaW9uIjoz){_w}{{253}}", "RFC 7519, of any length", _DOTTED),
    Maker("jwt", "ewog eyAi", rf"{_w}{{10,}}\.(?:eyJ|ewog|eyAi){_w}{{10,}}", "T", _DOTTED),
    Maker(ENCODED, _KEY_LABELS, f"{_b}{{4}}", "G kubernetes-secret-yaml", _BASE64),
    Maker("age", "AGE-SECRET-KEY-1", "[0-9A-Z]{58}", "G"),
    # clouds
    Maker("aws", "AKIA ASIA ABIA ACCA AROA AIDA AGPA ANPA", "[0-9A-Z]{16}", "G T D", exact=True),
    Maker("aws", "A3T", "[0-9A-Z]{17}", "G D", exact=True),
    Maker("bedrock", "ABSK", f"{_b}{{100}}", "G bedrock", _BASE64),
    Maker("bedrock", "bedrock-api-key-", f"{_b}{{28}}", "G bedrock", _BASE64),
    Maker("google", "AIza", f"{_w}{{35}}", "G T"),
    Maker("google oauth", "ya29.", f"{_w}{{20}}", "T", _DOTTED),
    Maker("google", "GOCSPX-", f"{_w}{{24}}", "M OAuth clients"),
    Maker("alibaba", "LTAI", f"{_a}{{17,26}}", "G T", exact=True),
    Maker("yandex", "AQVN", f"{_w}{{35}}", "G"),
    Maker("digitalocean", "dop_v1_ doo_v1_ dor_v1_", f"{_h}{{64}}", "G T"),
    Maker("cloudflare", "v1.0-", rf"{_h}{{24}}-{_h}{{100}}", "G"),
    Maker("cloudflare", "cfut_ cfat_ cfk_", f"{_a}{{40}}{_h}{{8}}", "T"),
    Maker("heroku", "HRKU-", f"{_w}{{36}}", "G T"),
    Maker("flyio", "fo1_", f"{_w}{{43}}", "G", _BASE64),
    Maker("flyio", "fm1r_ fm1a_ fm2_", f"{_b}{{100}}", "G", _BASE64),
    Maker("netlify", "nfp_", f"{_w}{{36}}", "T"),
    Maker("vercel", "vcp_ vck_ vci_ vca_", f"{_w}{{24}}", "M"),
    Maker("render", "rnd_", f"{_d}{_a}{{28}}", "M"),
    Maker("supabase", "sbp_ sb_secret_", f"{_w}{{30}}", "T"),
    Maker("planetscale", "pscale_tkn_ pscale_pw_ pscale_oauth_", f"{_w}{{32}}", "G T", _DOTTED),
    Maker("databricks", "dapi", f"{_h}{{32}}", "G T"),
    Maker("databricks", "dose", f"{_h}{{32,40}}", "M", exact=True),
    Maker("scalingo", "tk-us-", f"{_w}{{48}}", "G"),
    Maker("openshift", "sha256~", f"{_w}{{43}}", "G"),
    Maker("doppler", "dp.pt. dp.ct. dp.sa. dp.scim. dp.audit.", f"{_a}{{40}}", "G T"),
    Maker("doppler", "dp.st.", rf"(?:[0-9a-z_-]{{2,35}}\.)?{_a}{{40}}", "T"),
    Maker("pulumi", "pul-", f"{_h}{{40}}", "G T"),
    Maker("prefect", "pnu_ pnb_", f"{_a}{{36}}", "G T"),
    Maker("vault", "hvs. hvb. hvr.", f"{_w}{{24}}", "G T"),
    Maker("vault", "s.", rf"(?=[A-Za-z]{{0,23}}[0-9])(?=[0-9a-z]{{0,23}}[A-Z]){_a}{{24}}", "G", exact=True),
    Maker("tailscale", "tskey-", rf"[a-z]+-{_a}{{6,}}-{_w}{{16}}", "T"),
    Maker("infracost", "ico-", f"{_d}{_a}{{32}}", "G", exact=True),
    Maker("harness", "pat. sat.", rf"{_w}{{22}}\.{_a}{{24}}\.{_a}{{20}}", "G"),
    Maker("1password account", "ops_eyJ", f"{_b}{{200}}", "G", _BASE64),
    Maker("1password", "A3-", r"[0-9A-Z]{6}-(?:[0-9A-Z]{11}|[0-9A-Z]{6}-[0-9A-Z]{5})(?:-[0-9A-Z]{5}){3}", "G"),
    # code and packages
    Maker("github", "ghp_ gho_ ghu_ ghs_ ghr_", f"{_a}{{36}}", "G T D"),
    Maker("github", "github_pat_", f"{_w}{{22}}", "G T"),
    Maker("gitlab", "glpat- gldt- glft- glsoat- glrt- glffct- glrtr- glwt-", f"{_w}{{20}}", "G T D", _DOTTED),
    Maker("gitlab", "glptt- gloas- glagent- glimt-", f"{_w}{{25}}", "G T D", _DOTTED),
    Maker("gitlab", "glcbt-", rf"{_a}{{1,5}}_{_w}{{20}}", "G D", _DOTTED),
    Maker("gitlab", "GR1348941", f"{_w}{{20}}", "G D", _DOTTED),
    Maker("atlassian", "ATATT3 ATCTT3", f"{_w}{{60}}", "G T", _BASE64),
    Maker("atlassian", "ATBB", f"{_d}{_w}{{28}}", "T", _BASE64),
    Maker("atlassian", "BBDC-", f"{_b}{{40}}", "T", _BASE64),
    Maker("npm", "npm_", f"{_a}{{36}}", "G T"),
    Maker("pypi", "pypi-", f"AgE{_w}{{50}}", "G T D"),
    Maker("rubygems", "rubygems_", f"{_h}{{48}}", "G T"),
    Maker("nuget", "oy2", "[0-9a-z]{43}", "T", exact=True),
    Maker("crates", "cio", f"{_d}{_a}{{32}}", "M", exact=True),
    Maker("clojars", "CLOJARS_", f"{_a}{{60}}", "G"),
    Maker("docker", "dckr_pat_ dckr_oat_", f"{_w}{{27}}", "T"),
    Maker("jfrog", "AKCp", f"{_a}{{69}}", "G T"),
    Maker("jfrog", "cmVmd", f"{_a}{{59}}", "G T"),
    Maker("sourcegraph", "sgp_ slk_", f"(?:(?:{_h}{{16}}|local)_)?{_h}{{40}}", "G T"),
    Maker("circleci", "CCIPAT_ CCIPRJ_", f"{_a}{{20,24}}_{_h}{{40}}", "T"),
    Maker("buildkite", "bkua_", f"{_h}{{40}}", "T"),
    Maker("postman", "PMAK-", f"{_h}{{24}}-{_h}{{34}}", "G T"),
    Maker("octopus", "API-", f"{_d}[0-9A-Z]{{26}}", "G", exact=True),
    Maker("readme", "rdme_", "[0-9a-z]{70}", "G T"),
    # models
    Maker("openai", "sk-proj- sk-svcacct- sk-admin- sk-service- sk-None-", f"{_w}{{20}}", "G T D"),
    Maker("anthropic", "sk-ant-", f"{_w}{{20}}", "G T"),
    Maker("langfuse", "sk-lf- pk-lf-", _uuid, "T"),
    Maker("openrouter", "sk-or-", f"{_w}{{20}}", "T"),
    Maker("secret key", "sk-", f"{_d}{_a}{{20}}", "T D OpenAI, DeepSeek and others"),
    Maker("secret key", "sk-live- sk-test- pk-live- pk-test- rk-live- rk-test-", f"{_w}{{16}}", "T"),
    Maker("cerebras", "csk-", f"{_d}{_a}{{40}}", "M"),
    Maker("groq", "gsk_", f"{_a}{{40}}", "T"),
    Maker("xai", "xai-", f"{_w}{{60}}", "T"),
    Maker("perplexity", "pplx-", f"{_a}{{40}}", "G"),
    Maker("fireworks", "fw_", f"{_d}{_a}{{22}}", "M", exact=True),
    Maker("replicate", "r8_", f"{_w}{{37}}", "T"),
    Maker("huggingface", "hf_ api_org_", f"{_mixed}{_a}{{30}}", "G T"),
    Maker("nvidia", "nvapi-", f"{_w}{{60}}", "T"),
    Maker("langsmith", "lsv2_pt_ lsv2_sk_", f"{_h}{{32}}", "T"),
    Maker("pinecone", "pcsk_", f"{_a}{{5,6}}_{_a}{{60}}", "T"),
    Maker("elevenlabs", "sk_", f"{_h}{{48}}", "T", exact=True),
    # payment
    Maker("stripe", "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_ pk_live_ pk_test_", f"{_a}{{10}}", "G T D"),
    Maker("stripe webhook", "whsec_", f"{_b}{{24}}", "M webhooks", _BASE64),
    Maker("stripe", "pi_ seti_", f"{_a}{{24}}_secret_{_a}{{20}}", "T"),
    Maker("square", "sq0atp- sq0csp- sq0idp- sq0isp-", f"{_w}{{22}}", "G T D"),
    Maker("square", "EAAA", f"{_d}{_w}{{58}}", "G"),
    Maker("braintree", "access_token$production$ access_token$sandbox$", rf"[0-9a-z]{{16}}\${_h}{{32}}", "M"),
    Maker("flutterwave", "FLWSECK- FLWSECK_TEST- FLWPUBK_TEST-", f"{_a}{{12}}", "G T"),
    Maker("razorpay", "rzp_live_ rzp_test_", f"{_a}{{14}}", "T"),
    Maker("plaid", "access-production- access-sandbox- access-development-", _uuid, "G"),
    Maker("easypost", "EZAK EZTK", f"{_a}{{54}}", "G"),
    Maker("duffel", "duffel_live_ duffel_test_", f"{_w}{{43}}", "G"),
    Maker("shippo", "shippo_live_ shippo_test_", f"{_h}{{40}}", "G"),
    Maker("lob", "live_ test_", f"(?:pub_)?{_h}{{31,35}}", "G T", exact=True),
    Maker("shopify", "shpat_ shpca_ shppa_ shpss_ shptka_ shpua_", f"{_h.replace('f', 'fA-F')}{{32}}", "G T"),
    # messages and mail
    Maker("slack", "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xoxc- xoxd- xapp- xwfp-", f"{_d}{_w}{{10}}", "G T D"),
    Maker("slack", "xoxe.xoxb- xoxe.xoxp-", f"{_w}{{10}}", "G"),
    Maker("slack webhook", "hooks.slack.com/", "(?:services|workflows|triggers)/[0-9A-Za-z+/]{20}", "G T D", _PATH),
    Maker("discord", "discord.com/ discordapp.com/", rf"api/(?:v\d+/)?webhooks/\d{{17,20}}/{_w}{{60}}", "T", _PATH),
    Maker("teams", "webhook.office.com/", "webhookb2/[0-9a-f-]{36}@[0-9a-f-]{36}/", "G T", _PATH),
    Maker("teams", "outlook.office.com/", "webhook/[0-9a-f-]{36}@[0-9a-f-]{36}/", "T", _PATH),
    Maker("zapier", "hooks.zapier.com/", r"hooks/catch/\d+/[0-9a-z]{5}", "T", _PATH),
    Maker("google chat", "chat.googleapis.com/", rf"v1/spaces/{_w}+/messages\?key={_w}{{20}}", "M", _PATH),
    Maker("ifttt", "maker.ifttt.com/", rf"(?:trigger/[^/]{{1,64}}/(?:json/)?with|use)/(?:key/)?{_w}{{20}}", "M", _PATH),
    Maker("telegram", "api.telegram.org/", rf"(?:file/)?bot\d{{8,10}}:{_w}{{30}}", "G T D"),
    Maker("twilio", "SK AC", f"(?=[a-f]{{0,31}}[0-9]){_h.replace('f', 'fA-F')}{{32}}", "G T D", exact=True),
    Maker("sendgrid", "SG.", rf"{_w}{{16,32}}\.{_w}{{32}}", "G T D", _DOTTED),
    Maker("mailgun", "key- pubkey-", "(?=[a-z]{0,31}[0-9])[0-9a-z]{32}", "G T", exact=True),
    Maker("brevo", "xkeysib- xsmtpsib-", f"{_h}{{64}}", "G T"),
    Maker("resend", "re_", rf"{_a}{{8}}_{_a}{{20}}", "M"),
    Maker("facebook", "EAAM EAAC EAAB EAAG EAAJ", f"{_d}{_a}{{100}}", "G"),
    # work
    Maker("airtable", "pat", rf"{_a}{{14}}\.{_h}{{64}}", "G"),
    Maker("asana", "1/", r"\d{15,17}:[0-9a-f]{32}", "M"),
    Maker("contentful", "CFPAT-", f"{_w}{{43}}", "T"),
    Maker("figma", "figd_ figp_ figu_ figo_ figor_ figur_", f"{_w}{{40}}", "T"),
    Maker("frameio", "fio-u-", f"{_w}{{64}}", "G T"),
    Maker("hubspot", "pat-na1- pat-na2- pat-eu1- pat-ap1-", _uuid.replace("0-9a-f", "0-9a-fA-F"), "T"),
    Maker("linear", "lin_api_ lin_oauth_", f"{_a}{{40}}", "G T"),
    Maker("notion", "ntn_", f"{_a}{{40}}", "G"),
    Maker("notion", "secret_", f"(?=[0-9a-z]{{0,42}}[A-Z]){_a}{{43}}", "T", exact=True),
    Maker("typeform", "tfp_", f"{_w}{{40}}", "G T", _DOTTED),
    Maker("dropbox", "sl.", rf"(?:u\.)?{_w}{{120}}", "G T"),
    Maker("apify", "apify_api_", f"{_a}{{36}}", "T"),
    Maker("adafruit", "aio_", f"{_a}{{28}}", "T", exact=True),
    Maker("adobe", "p8e-", f"{_a}{{32}}", "G"),
    Maker("salesforce", "00D", rf"{_a}{{12,15}}![0-9A-Za-z_.]{{80}}", "T", _DOTTED),
    Maker("salesforce", "5Aep861 3MVG9", r"[0-9A-Za-z._]{80}", "T", _DOTTED),
    Maker("mapbox", "sk.eyJ", rf"{_w}{{30,}}\.{_w}{{20}}", "T"),
    # watching
    Maker("grafana", "glsa_", f"{_a}{{32}}", "G T", _BASE64),
    Maker("grafana", "glc_", f"{_b}{{32}}", "G T", _BASE64),
    Maker("grafana", "eyJrIjoi", f"{_a}{{60}}", "G", _BASE64),
    Maker("deno", "ddp_ ddw_", f"{_a}{{36}}", "T"),
    Maker("dynatrace", "dt0c01. dt0s01. dt0s02. dt0s16.", rf"{_a}{{8,24}}\.{_a}{{64}}", "G"),
    Maker("newrelic", "NRAK-", f"{_a}{{27}}", "G T"),
    Maker("newrelic", "NRII- NRIQ- NRJS- NRBR-", f"{_w}{{19}}", "G T"),
    Maker("sentry", "sntrys_", f"{_b}{{60}}", "G T", _BASE64),
    Maker("sentry", "sntryu_", f"{_h}{{64}}", "G T", _BASE64),
    Maker("posthog", "phx_ phs_", f"{_w}{{40}}", "T"),
    Maker("rootly", "rootly_", f"{_h}{{64}}", "T"),
)  # fmt: skip
"""All of them. `beginnings` are separated by blanks."""
