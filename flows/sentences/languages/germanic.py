"""German, Dutch and the Nordic languages (Finnish is their neighbour, not their kin)."""

from __future__ import annotations

from flows.sentences.languages.english import ENGLISH
from flows.sentences.languages.language import Language, beginnings, endings, table, words

GERMAN = Language(
    abbreviations=table(
        name="""dr prof Hr Hrn Fr Frl dipl ing Mag st hl frhr med jur phil rer nat theol habil hptm obst gen kath ev
            evang kfm dr.-ing fa fam gebr""",
        inner="""z.b zb d.h dh u.a ua z.t zt i.d.r o.ä u.ä v.a bzw ca evtl ggf ggfs inkl exkl vgl sog bes insb
            insbes gem lt abzgl zzgl zgl ehem gest geb verh bspw einschl mind möglw ungef u.u z.zt zz dt engl frz
            ital lat griech amerik chem phys techn allg lfd ständ wiss jährl mtl tägl ggü betr bzgl jew entspr
            gesetzl max vsl voraussichtl zw z.hd i.a i.v i.h.v i.s.v i.v.m m.e u.e s.o s.u versch urspr näml od wg
            z.k m.w""",
        number="""nr nrn art abs abb tab s sa kap bd bde aufl jg str tel pos ziff lit anm § hs fax mob hausnr kto
            blz plz az ref whg""",
        maybe="""co corp inc ltd jr sen pl e.v std min sek mio mrd tsd bio stck stk pkg pckg kg km qm lfm ltr ges
            abt hbf bhf vors mwst ust geschw vorm nachm n.chr v.chr u.z v.u.z anl best beil a.d bearb ansprechp kd
            rg lief ang auftr vorg sachb überw adv bart buchst dergl insp messrs supt arbeitn behörd datl durchschn
            empf erg erz fachl geschl gew herst kaufm kompl lieferb mitgl mod öffentl pers pfl polit priv psych red
            schriftl spez staatl stellv teilw telef theor unbek unverb urk verm verp vertr vollst wöchentl zust zus
            zul""",
        list="usw etc u.s.w usf u.v.m uvm o.g u.dgl",
    ),
    prepositions=words("am im um ab bis seit vom nach vor gegen zwischen"),
    openers=words(
        """der die das ein eine einer dieser diese dieses er sie es wir ich ihr du man hier da dann dort so aber und
        oder doch denn wenn als nach vor bei mit in im am auf für von zu zum zur an aus wie was wer wo warum wann
        nun jetzt danach dabei damit daher deshalb trotzdem auch noch nicht kein keine alle viele einige mein meine
        sein seine ihre unser unsere bitte ja nein können haben ist sind war wird hat vielen danke seit bis ohne
        durch gegen falls sobald leider gerne gern zudem außerdem anschließend sollten möchten"""
    ),
    heads=beginnings("und wenn aber diese bitte danach falls außerdem trotzdem deshalb"),
    compounds=("str", "pl", "abt", "nr", "ges", "gebr"),
    unspoken=endings("bl dl gl kl pl tl zl sl br dr gr kr pr tr vr zr fr sw bw lw nw rw tw zw spr schl chn"),
    capital_nouns=True,
    ordinals=3,
    lower_starts=endings(
        """a e i o u y ä ö ü en er ern eln es em ns ng bar los ig ich ach och uch eich ft llt cht gt elt tzt nnt mmt
        hrt iert eit tet hat ist eht"""
    ),
)

DUTCH = Language(
    abbreviations=table(
        name="dr drs ir ing mr mw mevr dhr prof ds st jhr hr fam fa gebr burg",
        inner="""bijv b.v d.w.z m.a.w o.a i.p.v t.o.v t.a.v m.b.t v.a ca evt incl excl vgl resp zgn z.g aanw vnw
            bijz i.v.m n.a.v a.d.h.v d.m.v o.b.v t.n.v t.b.v p.p max gem m.u.v t.w""",
        number="""nr nrs blz p art hfdst fig afb tel str bus fax lid par appt kam verd ver""",
        unit="min sec wkn mnd kg km",
        list="enz etc e.d",
        maybe="""n.v co inc ltd jr sr afd mln mld mlj bln a.s j.l n.chr v.chr gld alg verz dep ref bijl aant afl
            betr bijw circ conf corr def derg econ elektr etq fin gepubl gesch gew hist inst jaarl jur koopv meerv
            onderr ontw opm overw pag pens publ rec red reg secr soc techn toel uitdr univ verg verkl vert verw
            voorz wetb adm dir""",
    ),
    compounds=("str", "pl"),
    prepositions=words("op om in van tot vanaf voor na sinds tussen"),
    openers=words(
        """de het een dit dat deze die er hij zij ze wij we ik jij je u hier daar en maar of als toen na in op voor
        met bij van om uw onze dan nu ook wat wie waar wanneer waarom hoe kunt kan heeft is zijn wordt graag helaas
        dank bedankt fijne tot ja nee geen alle ons"""
    ),
    one_letter=frozenset("u"),
)

_DANISH_OPENERS = """jeg du han hun den det de vi i en et der her nu så men og hvis når da efter på til fra med for
    hvad hvem hvor hvorfor hvordan mit min din om er har kan vil skal ja nej tak også ingen alle dette denne disse
    desværre venligst ved"""

DANISH = Language(
    abbreviations=table(
        name="hr fr frk dr prof skt st sct cand mag dir adv ing fa",
        inner="""f.eks fx bl.a blandt ca dvs d.v.s evt inkl ekskl jf m.h.t mht pga p.g.a vedr m.fl if iflg pr tidl
            ang max maks ift i.f.t bla fhv pt p.t gns mdl incl excl""",
        number="""nr s p kap art fig bd tlf d n° nº lbnr § sal mobil lejl opg bil etg ver""",
        unit="kr min sek t tim hverd stk kg km pct",
        time="a.m p.m",
        place="u.s u.s.a",
        list="osv etc m.m m.v o.l o.lign",
        maybe="""co inc ltd jr sr mio mia mill mrd kl f.kr e.kr afd div best ref adr alm anm att bet cirk dep fakt
            forb foreg forf forh forts instr isl jur komm kons litt medd medl modt nuv off omg omtr opl opr org
            overs pers priv prod red reg repr sekr sign soc spec suppl techn tekn temp tilf tilh tilsv udb uds ugtl
            univ vejl""",
    ),
    prepositions=words("kl i fra til før efter siden mellem"),
    openers=words(_DANISH_OPENERS + " that it is the he she today they"),
    always_capital=words("i"),
    partners=ENGLISH.partners,
    one_letter=frozenset("øåi"),
    ordinal_days=True,
)

NORWEGIAN = Language(
    abbreviations=DANISH.abbreviations
    | table(
        name="frk fru siv",
        inner="f.o.m t.o.m o.a ev jfr eks",
        maybe="""a.s avd mill mrd kl adr alm anm att bet dep fakt foreg forf forts instr jur komm medd medl nåv off
            org overs pers priv prod red reg repr sekr soc spec suppl tekn temp tilsv univ veil""",
        list="o.l osb",
    ),
    prepositions=words("kl i fra til før etter siden mellom"),
    openers=words(_DANISH_OPENERS + " hva hvilken hvilke ikke noen alle takk nei dere ditt"),
    always_capital=words("i"),
    partners=ENGLISH.partners,
    one_letter=frozenset("øåi"),
    ordinal_days=True,
)

SWEDISH = Language(
    abbreviations=table(
        name="hr fr dr prof st doc fil ing dir fru",
        inner="""t.ex bl.a ca d.v.s dvs e.d f.d fr.o.m t.o.m m.fl p.g.a pga resp s.k jfr ev inkl exkl max ang f.n
            f.ö i.st.f m.a.o o.d p.s s.a.s t.ex.vis tex""",
        number="""nr s sid kap fig tel tfn art § bil lgh vån uppg ver""",
        unit="kr min sek tim kg km",
        list="osv etc m.m o.s.v",
        maybe="""co inc ltd jr sr milj mdr mrd tkr avd kl f.kr e.kr dep ref adr allm anm bet fakt forts föreg förf
            handl instr jur komm medd medl nuv off org pers priv prod red reg repr sekr soc spec suppl tekn temp
            tills univ övers utg""",
    ),
    prepositions=words("kl i från till före efter sedan mellan"),
    openers=words(
        """jag du han hon den det de vi ni en ett där här nu så men och om när då efter på till från med för vad vem
        var varför hur min mitt din ditt er ert vår vårt detta denna dessa i är har kan vill ska ja nej tack också
        inga alla tyvärr vänligen vid"""
    ),
    one_letter=frozenset("öåi"),
)

FINNISH = Language(
    abbreviations=table(
        name="dr hra rva nti tri prof dos st ins maist",
        inner="""esim mm ks vrt ns mts em ym nk n oik os eli ao ko ed ent sis alk huom max maks keskim""",
        number="""nro luku kuva puh s klo art as krs rak""",
        unit="min sek h t kk vk v kpl kg km e",
        list="jne yms jms",
        maybe="""oy co inc ltd jr sr milj mrd tuh bilj eaa jaa ekr jkr amir apul arkkit ass assist jatk kapt kenr
            komm luutn nyk siht suom toht toim tuom yht""",
    ),
    openers=words(
        """minä sinä hän me te he se ne tämä nämä nuo jos kun ja mutta tai niin nyt sitten siksi koska vaikka mikä
        mitä kuka missä milloin miksi miten miksi ei kyllä kiitos myös ole olen onko voit voitte on oli jotta mutta
        tässä siellä täällä kaikki valitettavasti ota"""
    ),
    ordinals=3,
)

LANGUAGES = {
    "de": GERMAN,
    "nl": DUTCH,
    "da": DANISH,
    "nb": NORWEGIAN,
    "nn": NORWEGIAN,
    "no": NORWEGIAN,
    "sv": SWEDISH,
    "fi": FINNISH,
}
