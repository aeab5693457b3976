"""German, Dutch and the Nordic languages (Finnish is their neighbour, not their kin)."""

from __future__ import annotations

from flows.sentences.languages.english import ENGLISH
from flows.sentences.languages.language import Language, table, words

GERMAN = Language(
    abbreviations=table(
        name="""dr prof Hr Hrn Fr Frl dipl ing Mag st hl frhr med jur phil rer nat theol habil hptm obst gen kath
            ev evang""",
        inner="""z.b zb d.h dh u.a ua z.t zt i.d.r o.ä u.ä v.a bzw ca evtl ggf inkl exkl vgl sog bes insb insbes
            gem lt abzgl zzgl zgl ehem gest geb verh bspw einschl mind möglw ungef u.u z.zt zz dt engl frz ital
            lat griech amerik chem phys techn allg lfd ständ wiss jährl mtl tägl ggü betr bzgl""",
        number="""nr nrn art abs abb tab s sa kap bd bde aufl jg str tel pos ziff lit anm § jan feb mär apr jun
            jul aug sep sept okt nov dez""",
        unit="std min sek mio mrd tsd km kg qm",
        time="n.chr v.chr",
        list="usw etc u.s.w usf u.v.m uvm o.g",
        maybe="co corp inc ltd jr sen pl e.v",
    ),
    openers=words(
        """der die das ein eine einer dieser diese dieses er sie es wir ich ihr du man hier da dann dort so aber
        und oder doch denn wenn als nach vor bei mit in im am auf für von zu zum zur an aus wie was wer wo warum
        wann nun jetzt danach dabei damit daher deshalb trotzdem auch noch nicht kein keine alle viele einige mein
        meine sein seine ihre unser unsere bitte ja nein können haben ist sind war wird hat"""
    ),
    compounds=("str", "pl"),
    ordinals=True,
    lower_starts=True,
)

DUTCH = Language(
    abbreviations=table(
        name="dr drs ir ing mr mw mevr dhr prof ds st jhr hr",
        inner="bijv b.v d.w.z m.a.w o.a i.p.v t.o.v t.a.v m.b.t v.a ca evt incl excl vgl resp zgn z.g aanw vnw bijz",
        number="nr nrs blz p art hfdst fig afb tel jan feb mrt apr jun jul aug sep sept okt nov dec",
        list="enz etc e.d",
        maybe="n.v co inc ltd jr sr",
    ),
    openers=words(
        "de het een dit dat deze die er hij zij ze wij we ik jij je u hier daar en maar of als toen na in op"
    ),
)

DANISH = Language(
    abbreviations=table(
        name="hr fr frk dr prof skt st sct cand mag dir adv",
        inner="f.eks fx bl.a blandt ca dvs d.v.s evt inkl ekskl jf m.h.t mht pga p.g.a vedr m.fl if iflg pr tidl ang",
        number="nr s p kap art fig bd tlf jan feb mar apr jun jul aug sep sept okt nov dec n° nº",
        unit="kr mio mia kl",
        time="a.m p.m",
        place="u.s u.s.a",
        list="osv etc m.m m.v",
        maybe="co inc ltd jr sr",
    ),
    openers=words(
        """jeg du han hun den det de vi i en et der her nu så men og hvis når da efter på til fra med for hvad
        hvem hvor hvorfor hvordan mit min din that it is the she he today they"""
    ),
    always_capital=words("i"),
    partners=ENGLISH.partners,
)

SWEDISH = Language(
    abbreviations=table(
        name="hr fr dr prof st doc fil",
        inner="t.ex bl.a ca d.v.s dvs e.d f.d fr.o.m t.o.m m.fl p.g.a pga resp s.k jfr ev inkl exkl",
        number="nr s sid kap fig tel jan feb mar apr jun jul aug sep sept okt nov dec",
        list="osv etc m.m",
        maybe="co inc ltd jr sr",
    ),
)

FINNISH = Language(
    abbreviations=table(
        name="dr hra rva nti tri prof dos st",
        inner="esim mm ks vrt ns mts em ym nk n oik os eli",
        number="nro luku kuva puh s",
        list="jne yms",
        maybe="oy co inc ltd jr sr",
    ),
    ordinals=True,
)

LANGUAGES = {
    "de": GERMAN,
    "nl": DUTCH,
    "da": DANISH,
    "nb": DANISH,
    "nn": DANISH,
    "no": DANISH,
    "sv": SWEDISH,
    "fi": FINNISH,
}
