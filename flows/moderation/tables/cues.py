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

NUMBER_WORDS = words("number numbers no nr num id code ref reference nummer numero número numéro")
"""What may follow such a noun, and still the number is the noun's."""

OTHER_NOUNS = words("""
    code company voucher commit request pull task build block height row seat gate bus train
    bestellung auftrag rechnung kunde vorgang vertrag artikel konto
    commande facture dossier contrat compte client billet
    pedido factura expediente contrato cuenta cliente billete
    ordine fattura pratica contratto conto fatura bestelling factuur klant zamówienie faktura
    заказ заказа счёт счет договор 订单号 订单 注文番号 注文
""")
"""More of them, in other languages too: beside a number of a region, which has no word that tells."""

PHONE_STEMS = words("tele ruf handy mobil mobiel fax durchwahl gsm")
"""What the words begin with that end in "nummer" and are a phone's."""

AMOUNTS = words("""
    population amount total sum price revenue budget cost salary balance count size length area distance turnover
    bevölkerung betrag summe preis umsatz montant total prix importe precio población importo prezzo
""")
"""What is counted and not called."""

COUNTED_BEFORE = words("""
    usd eur gbp chf cad aud inr brl jpy cny rs kr about almost around between exactly nearly over roughly up to than
    page pages pp line lines row rows range rows section sections article articles paragraph chapter chapters
    version ver release build firmware level
    seite seiten zeile zeilen zwischen etwa rund
    environ entre pages lignes
""")
"""What stands before a number that counts or places something."""

COUNTED_AFTER = words(r"""
    usd eur euro euros dollars? pounds? rupees? yen yuan francs? lire pesos? rubles? złotych zł kr kč руб
    bytes? bits? kb mb gb kib mib ms m km kg g cm mm mi ft miles? met(?:er|re)s? hours? minutes? seconds? days? years?
    people persons? users? customers? inhabitant\w* residents? voters? votes? points? units? items? pieces? rows?
    records? lines? pages? tokens? copies times downloads? steps?
    einwohner\w* stück euro menschen personen stimmen
    habitants? voix personnes unités
    habitantes personas unidades votos abitanti persone habitantes pessoas
    sztuk osób inwoners mensen
    человек жителей штук
""")
"""What stands after a number that counts it: patterns."""

COUNTED_AFTER_UNSPACED = words("人 円 元 個 个 名 명 원 万")
"""In scripts without blanks between words."""
