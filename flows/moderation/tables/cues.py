"""Words that tell that a number beside them is a phone's, and nouns that tell that it is not.

Whole words, small letters. `BEFORE` may stand up to 40 characters before the number, `AFTER` up to 10 after it.
"""

from __future__ import annotations

from flows.moderation.tables import words

BEFORE = words("""
    answer answering call called caller calling callback cell cellphone cellular contact dial dialed dialled
    dialing
    fax hotline landline mobile phone phoned phones reach reached ring rang sms tel telephone telephones text
    texted texting
    voicemail whatsapp
    anrufen anruf durchwahl handy handynummer mobil rufnummer telefon telefonnummer
    appeler appelez joindre portable téléphone tél
    celular llama llamar llame móvil movil teléfono telefono tfno
    cellulare chiamare chiama telefonare
    bellen gsm mobiel telefoon telefoonnummer
    ligar ligue telefone telemóvel
    komórka telefonu zadzwoń телефон телефона тел звоните позвоните мобильный
    전화 휴대폰 फ़ोन फोन मोबाइल هاتف جوال טלפון
""")

BEFORE_UNSPACED = words("電話 电话 手机 手機 携帯 致电 致電")
"""In scripts without blanks between words: anywhere in the text."""

AFTER = words("""
    cell direct fax home landline mobile office phone tel telephone work
    mobil telefon téléphone portable móvil celular cellulare mobiel
""")

OTHER_NUMBERS = words("""
    account aba application article bank batch bin booking card case check claim client confirmation contract
    coupon
    customer employee file flight form id identification iban insurance invoice isbn issue item license
    licence line lot
    member membership model order page parcel part passport patent patient permit pin policy postal product
    receipt record reference registration reservation room routing security serial sku ssn social swift tax
    ticket
    token tracking transaction vat version vin zip credit debit
""")
"""Before "number", these say whose it is; "number" alone after my, your, his, ... means the phone's."""

LINKS = words("""
    a an and are at be by can for from have her him his i in is it it's me mine my new no nr number numbers num of on or
    our please the their them this to under us use via was we were with you your
    am auf bei der die ist unter an lautet nummer meine le la est au numéro mon votre el es al número mi su il
""")
"""What may stand between a telling word and seven to nine digits that nothing groups."""
