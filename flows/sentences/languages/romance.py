"""French, Spanish, Italian, Portuguese, Romanian."""

from __future__ import annotations

from flows.sentences.languages.language import Language, endings, table, words

FRENCH = Language(
    abbreviations=table(
        name="M MM mme mmes mlle mlles mgr Me dr Pr prof St Ste gal lt mr mrs",
        inner="""c.-à-d cad p.ex ex cf env apr ap j.-c vs al op cit ibid resp éd coll trad fr angl lat ndlr att max
            approx moy nb ds pdt""",
        number="""no n° nº nos p pp fig vol art chap sect par tél tel réf éts bât esc app appt fax ét lot""",
        unit="hab kg km min sem h sec mn j",
        list="etc",
        maybe="""av bd blvd cie sté ets s.a s.a.r.l s.a.v co inc ltd jr sr apr.j.-c dép dépt univ assoc bt boul pl
            imp rte chem tjs qté mt st cde cmd rdv qte bur serv adm arr auj contr fasc fém gén hist inf instr intern
            masc mens obs ouvr pers préf princ priv prod prov réd rég sing soc spéc suiv suppl syst tot""",
    ),
    prepositions=words("à en dès depuis vers avant après pendant entre"),
    openers=words(
        """le la les l'on un une des ce cet cette ces il elle ils elles on nous vous je tu c'est qui que quand où
        comment pourquoi mais et ou or donc car si alors puis après avant dans en sur pour par avec à au aux votre
        vos notre nos merci veuillez oui non ne pas aucun tous toutes j'ai c'était d'accord il bonne sans dès
        malheureusement pouvez avez est"""
    ),
    lower_starts=endings("a e i o u y é è ê à ù û as es is os us és ais ons ant ent ez er ir oir eux aux eur our"),
    one_letter=frozenset("ay"),
    capital_stops=";",
)

SPANISH = Language(
    abbreviations=table(
        name="""sr sra srta sres sras srtas dr dra drs D dª dña prof profa lic licda ing arq gral cnel sto sta fr
            mons mt excmo excma excmos excmas ilmo ilma ilmos ilmas rvdo rvda rvdmo exmo exma ldo lda ntra ntro tte""",
        inner="""admón p.ej ej vs aprox ca cf cfr op cit ibid al ed eds trad núm.tel máx mín apox atte prom imp
            equiv""",
        number="""núm num nº n° n.º no pág págs p pp art arts cap vol fig párr párrs párrf tel tfno teléf tlf apdo
            apto esc ref núms izq izda dcha km vto ptal pta fra exp sec secc""",
        unit="min seg hs hrs kg cm pts ptas",
        time="a.m p.m",
        list="etc",
        maybe="""av avda cía co s.a s.l s.a.u c.v inc ltd jr ee.uu dpto depto ud uds vd vds dto cta c.p s.a.s admon
            doc univ hnos urb ctra pza pº bco sdad a.c d.c gob dir esq cdad prov adm admdor almte atn aux cód cte
            dcho dcto dep edif febr hosp impr impto izdo izqdo mod mun nal niv obs pje ppal pral pref pres rem rte
            secr sig tamb tít transp trav entlo""",
    ),
    prepositions=words("a en desde hasta hacia antes después durante entre"),
    openers=words(
        """el la los las un una unos unas este esta estos estas ese esa eso esto él ella ellos ellas yo tú usted
        nosotros se lo le que qué quién cómo cuándo dónde por para con en de desde a al si no y o pero como cuando
        además también su sus mi nuestro nuestra gracias hay es son sin hasta ya le les ustedes puede tiene sí
        lamentablemente"""
    ),
    double_letters=True,
    ordinary=words("no"),
    capital_stops=";",
)

ITALIAN = Language(
    abbreviations=table(
        name="""sig sigg sig.ra sig.na sigra dott dott.ssa dottssa dr prof prof.ssa ing avv arch geom rag On sen
            mons s ss egr gent spett ill dir amm cav comm gen col cap ten v.cte psicol gent.mo gent.ma preg.mo
            dott.i""",
        inner="""es az p.es ad.es cfr cf ca circa c.a vs op cit ibid al d econ ecc.mo tecn scient lett ant st max
            mass all c.m u.s p.v nb incl escl q.ta""",
        number="""n nn nr num no n° nº p pp pag pagg art artt vol fig par tel v via int cell fax rif cod civ apt sez
            ver sc pal prot fatt ord""",
        unit="min sec h kg km gg sett eur lt",
        list="ecc etc",
        maybe="""s.p.a s.r.l co inc ltd jr sr f.p a.c d.c uff rep mitt doc abbr appr cat cons contr corr dep disp
            ediz elettr fasc fem geogr giur ind intern istr matt naz ogg orig pers pref pres prod prov pubbl reg
            resp riv segg segr simb soc spec tit univ""",
    ),
    prepositions=words("a alle in dal dalle fino entro verso prima dopo durante tra"),
    openers=words(
        """il lo la i gli le un uno una questo questa questi queste quello quella egli ella essi loro io tu noi voi
        si che chi come quando dove perché ma e o se non per con in di da a al nel sul poi anche lei lui vi ci
        grazie la sua suo nostro vostro può è sono ha hanno sì no alla dal dalla del della purtroppo ogni tutti"""
    ),
    one_letter=frozenset("è"),
    double_letters=True,
    ordinary=words("no"),
    capital_stops=";",
)

PORTUGUESE = Language(
    abbreviations=table(
        name="""sr sra srs sras srta dr dra drs dras prof profa profª profs eng D st sto sta pe fr gen cel ten exmo
            exma exmos exmas ilmo ilma arq""",
        inner="p.ex ex vs aprox ca cf cfr op cit ibid al ed trad máx mín méd obs atte incl excl séc qtd",
        number="""nº n° n.º núm num n pág págs p pp art arts cap vol fig tel apto apt ap bl cx r cód ref sl qd lt
            proc prot fl fls sec""",
        unit="min seg h hs kg cm",
        time="a.m p.m",
        list="etc",
        maybe="""av cia ltda s.a co inc jr depto dept dep dir a.c d.c trav rod est mi bi adm assoc coml compl coord
            disp econ edif emp end func hab hosp insp inst lda máq mens mun nac oper orig parc pgto pref prod quant
            repr secr téc tít tot trib univ vlr""",
    ),
    prepositions=words("às em no na desde até antes depois durante entre"),
    openers=words(
        """o a os as um uma este esta estes estas esse essa isso isto ele ela eles elas eu tu você nós que quem como
        quando onde por para com em de no na se não e ou mas também seu sua seus suas nosso nossa obrigado obrigada
        há é são sem até já vocês pode tem sim ao à infelizmente qual vou"""
    ),
    one_letter=frozenset("é"),
    double_letters=True,
    ordinary=words("no"),
    capital_stops=";",
)

ROMANIAN = Language(
    abbreviations=table(
        name="dl dna dra d-na d-ra d-l dr prof ing sf st gen col av dvs",
        inner="ex cca aprox cf vs op cit p.ex max resp incl excl n.b lat",
        number="""nr pag p art cap vol fig tel bl ap sc et alin lit int fax jud cam sect ver""",
        unit="min sec kg km săpt h",
        list="etc ș.a ş.a ș.a.m.d",
        maybe="""co inc ltd jr sr s.a s.r.l dept mil mld tril î.hr d.hr î.e.n e.n loc str bd adm asist bul conf crt
            dep echip fam insp ist jur mun obs ofic orig pers pref prel pres priv publ red reg secr soc spec teh tit
            univ urm""",
    ),
    prepositions=words("la în pe din de până după înainte între"),
    openers=words(
        """el ea ei ele eu tu noi voi acest această acești aceste acesta aceasta acela un o și dar sau dacă când
        unde cum ce cine pentru cu în la de din pe nu da mai apoi vă vom este sunt are au poate mulțumim mulțumesc
        vă toate după până fără nici"""
    ),
    one_letter=frozenset("e"),
)

LANGUAGES = {
    "fr": FRENCH,
    "es": SPANISH,
    "it": ITALIAN,
    "pt": PORTUGUESE,
    "ro": ROMANIAN,
}
