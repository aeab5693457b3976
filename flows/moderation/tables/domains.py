"""What domains end in, where that matters: names of scripts without blanks, and what looks like one and is none.

Sources: IANA's root zone (the names in Chinese, Japanese, Thai and Lao letters), and extensions and tags in use that
the root zone does not have.
"""

from __future__ import annotations

from flows.moderation.tables import words

UNSPACED = words("""
    中国 中國 公司 网络 網絡 网址 网站 网店 商城 商店 商标 集团 在线 我爱你 移动 世界 信息 手机 政务 政府 机构
    组织机构 公益 慈善 娱乐 游戏 时尚 食品 餐厅 健康 广东 佛山 香格里拉 大拿 台湾 台灣 香港 澳門 澳门 新加坡
    電訊盈科 新闻 通販 購物 书籍 八卦 联通 中信 中文网 嘉里 嘉里大酒店 微博 淡马锡 招聘 天主教 企业 点看 珠宝 飞利浦
    谷歌 诺基亚 工行 家電 亚马逊 大众汽车 日本 测试 測試 テスト クラウド グーグル コム ストア セール ファッション
    ポイント みんな アマゾン ไทย คอม ລາວ
""")
"""Behind such a name the text goes on without a blank."""

NONE = frozenset(
    words("""
    png jpg jpeg gif svg webp bmp ico tif tiff avif heic css scss less js mjs cjs ts tsx jsx json jsonl xml yaml yml
    toml ini cfg conf html htm php asp aspx jsp txt csv tsv pdf doc docx xls xlsx ppt pptx odt ods tar gz tgz bz rar
    exe dll deb rpm apk dmg iso img jar war whl egg lock log tmp bak min map wasm ttf otf woff woff2 eot mp3 mp4 wav
    ogg avi mkv webm flac sql db sqlite rb go kt java cpp hpp swift ipynb vue svelte
    alpha beta rc snapshot stable canary nightly lts latest alpine slim bookworm bullseye buster jammy noble
    """)
)
"""Extensions of files, and tags of packages and images (`logo@2x.png`, `js@latest.min`)."""

COMMON = frozenset(words("com org net edu gov info biz"))
"""What is a domain's end though an extension follows, as is every name of two letters."""
