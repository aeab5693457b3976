"""English, in the detail that a contact centre needs: its names, places and times of day."""

from __future__ import annotations

from flows.sentences.languages.language import ANY, Language, beginnings, table, words

ENGLISH = Language(
    abbreviations=table(
        name="""mr mrs ms mx messrs mmes dr drs prof profs Rev Fr Hon pres supt capt cpt lt cmdr adm sgt cpl pvt maj
            col brig mt sts Sens Reps Gens geo wm chas jas thos jos""",
        inner="""e.g i.e eg ie vs v cf viz al op cit ibid approx ca circa incl excl esp resp aka a.k.a w.r.t n.b q.v
            abbr avg intl natl est'd p.s PS attn c.o encl""",
        number="""no nos nr n° nº fig figs p pp pg pgs sec secs art arts ch chap chaps eq eqs vol vols ex exs tab
            ref refs fn rs ver apt rm ext tel ph para paras par bk pt pts app cl ste cir est u.s.c opt acct accts
            inv invs bldg blds qty flr ser tkt lvl blk pkt opts""",
        date="Tues Thur Thurs",
        unit="""lb lbs oz ft in yd yds mi kg km cm mm hr hrs min mins sq cu fl gal qt tsp tbsp mph deg wk wks yr yrs
            mo mos pc pcs ea doz amp""",
        time="a.m p.m b.c a.d b.c.e c.e",
        place="u.s u.k u.n e.u u.s.a u.s.s.r u.a.e",
        list="""etc ph.d ll.d m.d ed eds trans repr orig rep reps misc fem masc obs pron hist contd poss prob""",
        maybe="""inc co corp ltd jr sr esq st ave blvd rd ln hwy pkwy Gov Gen Sen Rep Det Insp Amb asst assoc atty
            assn Dist Div mfg mgr mgrs Univ Acad Inst d.phil m.sc b.sc d.c d.d.s Ft Ala Ariz Ark Calif Colo Conn Del
            Fla Ga Ill Ind Kan Ky La Mass Md Mich Minn Miss Mo Mont Neb Nev Okla Ore Pa Tenn Tex Va Vt Wash Wis Wyo
            appt appts dir dept depts exec alt max var temp adj adv cont amt pmt pymt bal addr svc svcs acctg mgmt
            rcpt recd cust ctr dba bros pty plc llp llc sched conf pkg pkgs shpt qtr yrly mthly fwy expy hosp insp
            comdr nebr penn wisc surg tce elec equip inst mdse mktg mun org procd recv sup supv univ""",
    ),
    openers=words(
        """the a an this that these those there here it its it's he she they we i i'm i've i'd i'll you your his her
        their our my who what when where why how which whether if but and so or yet as at in on for from to with by
        of after before while since because although though however then now once today tomorrow yesterday next
        finally overall additionally furthermore moreover therefore thus meanwhile instead otherwise unfortunately
        alternatively also no not never only just even still yes ok okay oh well let let's please thanks do does did
        don't is are was were can could will would should may might must has have had nobody nothing no-one none
        someone everyone anyone one two some many most all each every both several such other another more few he's
        she's we're they're you're that's there's what's let's we've you've they've it'll you'll we'll they'll can't
        won't didn't doesn't isn't aren't"""
    ),
    heads=beginnings(
        """it this that these those they then there what when where which could would should please nobody nothing
        however because although"""
    ),
    partners=words(
        """government department dept senate senator sen congress congressman congressional house representative
        representatives rep supreme court district attorney constitution president presidential vice secretary
        ambassador embassy consulate treasury federal reserve national bureau agency office administration service
        commission census patent postal army navy air marine marines coast military armed forces force troops
        special forest geological environmental food securities department's state states open olympic virgin
        highway route interstate east west north south central security council general assembly charter high
        children's commissioner human refugee environment development world dollar dollars economy census customs
        immigration border bank chamber citizen citizenship monday tuesday wednesday thursday friday saturday sunday
        january february march april may june july august september october november december est edt cst cdt mst
        mdt pst pdt gmt utc bst cet cest et ct mt pt eastern central pacific"""
    ),
    prepositions=words("at on in by from until till before after since around about during between"),
    counted=words(
        """step steps page pages chapter section figure table part number question level version phase stage option
        rule line row column unit grade top number by to of and or is are was than about least most only under over
        between the = + - * / × x"""
    ),
    marked_names=words("yahoo! jeopardy! oklahoma! joomla! guess? e!") | {"who? weekly"},
    ordinary=words("no nos art arts app par ex exs tab est"),
    always_capital=words("i i'm i've i'd i'll"),
    lower_starts=ANY,
)

LANGUAGES = {
    "en": ENGLISH,
}
