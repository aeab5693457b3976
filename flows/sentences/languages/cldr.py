"""Abbreviations of Unicode's CLDR: by language, and by what they shorten.

Made by tools/cldr.py of CLDR 46.1.0 (segmentation) and 48.2.0 (all else); not to be edited by hand:
our own are in the files beside this one, and go before these. Copyright Unicode, Inc.; Unicode License V3, which is in
LICENSE-UNICODE beside this file.
"""

from __future__ import annotations

CLDR: dict[str, dict[str, str]] = {
    "bg": {
        "amounts": "млн млрд трлн хил",
        "dates": "авг апр вт дек нд ное окт пн пт сб сеп ср трим фев чт яну",
        "months": "август април декември май март ноември октомври септември февруари юли юни януари",
        "others": "пр.н.е пр.об пр.хр сл.н.е сл.об сл.хр",
        "units": """
            Imp амер амер.терм.ед брит брит.дес брит.дес.лъж гал год дес дес.лъж дъг дъг.сек ед имп имп.гал к.с кв лъж
            мес мин об пр.об.сл.об раб с.л св св.г седм сек стоун терм теч тр тр.унц тримес унц ч.л час
        """,
    },
    "cs": {
        "amounts": "bil mil mld tis",
        "dates": "bře dub kvě led lis po pro pá so srp st zář úno út čt čvc čvn říj",
        "months": """
            březen března duben dubna květen května leden ledna listopad listopadu prosince prosinec srpen srpna září
            únor února červen července červenec června říjen října
        """,
        "others": "dop n.l odp př př.n.l půl půln več",
        "units": "Imp d.týd dek desetil dun j.š kv letop měs odm ot s.š stol sv týd v.d z.d čas čtvrtl šp",
    },
    "da": {
        "amounts": "bio mia mio",
        "dates": "apr aug dec feb fr fre jan jul jun kvt lø lør ma mar nov okt sep sø søn tirs tors",
        "months": "april august december februar januar juli juni maj marts november oktober september",
        "others": "e.kr f.kr f.v.t v.t",
        "units": """
            Imp br br.fl.dr br.qt brit brit.dsk buemin buesek dr dsk fl gr knsp kt md mdr milisek min omdr pct pkt pr
            pr.kvt qt sek skp spsk sv td tdr tsk årh
        """,
    },
    "de": {
        "amounts": "Bio Mio Mrd",
        "dates": "Apr Aug Dez Di Do Feb Fr Jan Mi Mo Nov Okt Sa Sept",
        "months": "april august dezember februar januar juli juni mai märz november oktober september",
        "others": "Chr Nachm Vorm n.chr nachm u.z v.chr v.u.z vorm",
        "units": """
            Elem Ep Gal Imp Jh Jz Lichtg Lichtgeschw Min Mon Pr Quart Sek Std Tagesh Tg Tr Trpf Umdr Wo Wochent Zeitz
            fl.dr fl.oz fl.oz.m imp.fl.oz imp.gal imp.qt oz.tr sh tn tn.sh
        """,
        "words": """
            Abs Abt Abw Adj Adr Akt Allg Ausg Ausschl Bed Ben Ber Bibl Ca Chin Co Dat Dim Dir Dr Dtzd Einh Erf Evtl Fa
            Fam Fn Folg Forts Frl Gebr Gem Geograph Ges Gesch Ggf Hbf Hptst Hr Hrn Hrsg Inc Ing Inh Int Jahrh Jr Kap
            Kfm Kl Konv Kop Ltd Mind Msp Nr Obj Op Pfd Phys Prot Proz Qu Rd Reg Rel Rep Schr Sep Spezif St StR Str Tel
            Temp Trans Tägl Urspr Ursprüngl Verf Vgl Wg Zt Ztr a.a.o a.a.s a.d a.m a.rh amtl beil d.h d.j d.ä
            dipl.-ing dipl.-kfm e.h e.v e.wz ehem eigtl einschl entspr erw ev evtl exkl f.f forts.f frz geb gedr gek
            gesch gest ggf ggfs hpts i.a i.b i.h i.j i.r i.v inkl j.d jew jhrl k.u.k kath kfm kgl led m.e m.w mtl möbl
            n.u.z näml o.a o.b o.g od p.adr p.m reg.-bez röm röm.-kath s.a schles schweiz schwäb sog südd tägl u.a
            u.a.w.g u.s u.s.a u.u u.v.a u.ä v.h v.r.w v.t verh verw vgl z.b z.hd z.z z.zt zzgl österr
        """,
    },
    "el": {
        "amounts": "δισ εκ τρισ χιλ",
        "dates": "Απρ Αυγ Δεκ Δευ Ιαν Ιουλ Ιουν Κυρ Μαΐ Μαρ Νοε Οκτ Πέμ Παρ Σάβ Σεπ Τετ Τρί Φεβ",
        "months": """
            απρίλιος απριλίου αυγούστου αύγουστος δεκέμβριος δεκεμβρίου ιανουάριος ιανουαρίου ιουλίου ιουνίου ιούλιος
            ιούνιος μάιος μάρτιος μαΐου μαρτίου νοέμβριος νοεμβρίου οκτωβρίου οκτώβριος σεπτέμβριος σεπτεμβρίου
            φεβρουάριος φεβρουαρίου
        """,
        "others": "απόγ μ.μ μ.χ μεσημ π.κ.χ π.μ π.χ",
        "units": """
            Imp έ.φ έτ ίν ίπ α.μ αγγλ αγγλ.κ.φρ αγγλ.κουτ.φρ αγγλ.τέτ.γαλ αγγλοσαξ αιών γαλ γρ γραμμ δεκ δευτ δρ δυν
            δυν.επιτάχ δύν δύν.επιτάχ εβδ εκατ εκτ επιτάχ ημ θερμ κ.γ κ.σ κ.φρ καθημερ καντ κουκ κουκ.εκ κουτ κυβ κόκ
            κύπ λίτ λεπ λμ μ.δ μ.κύπ μήν μίλ μεζ μετρ μπ μποφ ν.μ νύχτ οργ π.μ.μ.μ περ πρ σκανδ στ σταγ τ.εκ τ.μ τ.χλμ
            τέτ τέτ.γαλ τετ τετρ τετρ.δευτ τρίμ υγρ φέρλ φρ χιλ.δευτ χλμ χλστ
        """,
    },
    "en": {
        "dates": "Apr Aug Dec Feb Fri Jan Jul Jun Mar Mon Nov Oct Sat Sep Sun Thu Tue Wed",
        "months": "april august december february january july june march may november october september",
        "units": "Imp deg deg.temp dsp-Imp fl.dr hr min mo qt-Imp qtr sec temp wkday yr",
        "words": """
            Abs Adj Adv Alt Approx Cap Capt Col Comm Conn Cont Def Dept Diff Ed Est Etc Ex Exec Fn Gb Hz Jam Kb Lev
            Lib Lt Maj Mart Mb Md Mgr Min Misc Mr Mrs Ms Mt Nr Op Org Phys Prof Pvt Rep Rev Sept Sgt Sq Var Yr a.d a.m
            a.s b.v c.f c.o.d d.a d.c e.g exec hon.b.a i.d i.e i.t j.b j.d j.k k.r l.a l.p lt.cdr m.i.t m.r m.t n.v
            n.y p.m p.o p.v ph.d pp r.l r.t s.a s.a.r s.e s.p.a u.s u.s.a u.s.c vs
        """,
    },
    "es": {
        "dates": "abr ago dic dom ene feb jue jul jun lun mar mié nov oct sept sáb vie",
        "months": "abril agosto diciembre enero febrero julio junio marzo mayo noviembre octubre septiembre",
        "others": "a.c a.e.c a.m d.c e.c p.m",
        "units": "Imp a.l a.m.p.m déc ee.uu grad imp pto ptos sem trim",
        "words": """
            Ant Av Avda Comm Corp Cía Da Desc Desv Dr Dra Drs Dto Dª Dña Em Emm Exc Excma Excmas Excmo Excmos Exma
            Exmas Exmo Exmos Fabric Fr Ilma Ilmas Ilmo Ilmos Inc Lcda Lcdo Lda Ldo Lic Ltd Ltda Ltdo Mons Mr Mrs Rdo
            Rdos Reg Rev Rvdmo Rvdmos Rvdo Rvdos Sdad Seg Sr Sra Sras Sres Srta Srtas Sta Sto Trab Vda afma afmas afmo
            afmos bco bol c.p c.s c.v cap cf cfr col depto deptos doc dpto dptos dtor e.g ed ej ff.cc fig figs fund
            h.p hnos jj.oo licda licdo ms mss mtro ntra ntro o.m p.ej prof prov r.d r.u rr.hh sras sres srs ss ss.aa
            ss.mm trad u.s u.s.a v.gr vid vs
        """,
    },
    "fi": {
        "amounts": "bilj milj mrd",
        "dates": "elo heinä helmi huhti joulu ke kesä la loka ma maalis marras nelj pe su syys tammi ti touko",
        "months": """
            elokuu elokuuta heinäkuu heinäkuuta helmikuu helmikuuta huhtikuu huhtikuuta joulukuu joulukuuta kesäkuu
            kesäkuuta lokakuu lokakuuta maaliskuu maaliskuuta marraskuu marraskuuta syyskuu syyskuuta tammikuu
            tammikuuta toukokuu toukokuuta
        """,
        "others": "aamup ap eKr eaa iltap ip jKr jaa keskip kp ky",
        "units": "Imp am br",
    },
    "fr": {
        "dates": "avr dim déc févr janv jeu juil lun mar nov oct sam sept ven",
        "months": "août avril décembre février janvier juillet juin mai mars novembre octobre septembre",
        "others": "ap ap.j.-c ap.m av av.j.-c j.-c mat",
        "units": "Imp d.imp imp sem sem.m trim typog",
        "words": """
            Comm Desc Inc Jr Mart Op Prof Var acoust adr anc ann anon append broch bull cam categ coll collab config
            dest dict dir doc encycl exempl fig gouv graph hôp ill illustr imm imprim indus niv p.-d p.-d.g p.o publ
            quart réf s.a s.m.a.r.t symb synth syst trav trav.publ u.s u.s.a voit éd édit équiv éval
        """,
    },
    "hu": {
        "dates": "Cs Sze Szo aug dec febr jan júl jún máj márc nov okt szept ápr",
        "months": """
            augusztus december február január július június május március november október szeptember április
        """,
        "others": "i.e i.sz ie isz sz",
        "units": "Imp bir bir.f cs ek fl.dr ford kk",
    },
    "it": {
        "dates": "ago apr dic dom feb gen gio giu lug lun mag mar mer nov ott sab set ven",
        "months": """
            agosto aprile dicembre febbraio gennaio giugno luglio maggio marzo novembre ottobre settembre
        """,
        "others": "a.c a.e.v d.c e.v",
        "units": "Imp dec elem imp sec secc sett trim",
        "words": """
            Cfr Geom Ing Liv Ltd Sig ag arch avv c.c.p c.p d.p.r div dott dr fig int mitt n.b n.d.a n.d.e n.d.t o.d.g
            p.i pag rag s.a.r s.m.a.r.t s.p.a sez tab tav u.s u.s.a vol
        """,
    },
    "nb": {
        "amounts": "bill mill mrd",
        "dates": "apr aug des feb fr fre jan lø lør ma nov okt sep sø søn tir tor",
        "months": "april august desember februar januar juli juni mai mars november oktober september",
        "others": "a.m e.kr em etterm evt f.kr fm form fvt kv mg midn mn morg nt p.m vt",
        "units": "Imp a.m.p.m am am.tn brit imp kl md mnd omdr qt qt.imp tn uked årh",
    },
    "nl": {
        "amounts": "bln mld mln",
        "dates": "apr aug dec di do feb jan jul jun ma mrt nov okt sep vr wo za",
        "months": "april augustus december februari januari juli juni maart mei november oktober september",
        "others": "a.m g.j n.c n.chr p.m v.c v.chr v.g.j",
        "units": "Imp a.m.p.m imp kw kwart v.d v.h",
    },
    "pl": {
        "amounts": "tys",
        "dates": "cze czw gru kw kwi lip lis lut maj mar niedz paź pon pt sie sob sty wrz wt śr",
        "months": """
            czerwca czerwiec grudnia grudzień kwiecień kwietnia lipca lipiec listopad listopada lutego luty maj maja
            marca marzec październik października sierpień sierpnia styczeń stycznia wrzesień września
        """,
        "others": "n.e p.n.e popoł poł przedpoł półn wiecz",
        "units": """
            Imp am amer ang cz czas deser dz dz.mies dz.r dz.tyg godz j.a metr mies obr pkt poł.wiecz sek st stoł str
            str.czas szcz sześc szt tydz tydz.mies tyg ł.deser ł.deser.ang ł.stoł św
        """,
    },
    "pt": {
        "dates": "abr ago dez dom fev jan jul jun mai mar nov out qua qui seg set sex sáb ter",
        "months": "abril agosto dezembro fevereiro janeiro julho junho maio março novembro outubro setembro",
        "others": "a.c d.c",
        "units": "Imp bça déc fl fl.oz gal gal.imp imp min oz pol sem séc sécs trim xíc",
        "words": """
            Alm Av Dir Dr Dra Dras Drs Est Exma Exmo Fr Ilma Ilmo Jr Ltd Ltda Pe Sta Sto a.m abrev adm aer agric anat
            ap apart apt arit arqueol arquit astron autom aux biogr bras cap caps cat cel cf col comp compl cont
            contab créd cx círc cód desc dipl dir div doc déb ed educ elem eletr eletrôn end eng esp ex fac fasc fem
            ff fig fil filos fisiol fot fr fís geom gram gên hist ind ingl jur lat lin lit liter long mat matem mov
            máq méd mús n.sra n.t neol náut obs odont odontol org organiz p.ex p.m pal ph.d port pp pq prod profa pron
            próx psicol pág quím r.s.v.p ref rel relat rep res rod s.a sociol sup símb tec tecnol tel trad transp univ
            v.t vol vs w.c álg índ
        """,
    },
    "ro": {
        "amounts": "mil mld tril",
        "dates": "apr aug dec dum feb ian iul iun lun mar mie nov oct sept sâ sâm trim vin",
        "months": """
            aprilie august decembrie februarie ianuarie iulie iunie mai martie noiembrie octombrie septembrie
        """,
        "others": "a.m d.hr e.n p.m î.hr",
        "units": "Imp a.l a.m.p.m ac gal imp min pct rev sec săpt t.s vf",
    },
    "ru": {
        "amounts": "тыс",
        "dates": "авг апр вс вт дек июл июн кв мар нояб окт пн пт сб сент ср февр чт янв",
        "months": """
            август августа апрель апреля декабрь декабря июль июля июнь июня май март марта мая ноябрь ноября октябрь
            октября сентябрь сентября февраль февраля январь января
        """,
        "others": "веч н.э полд полн",
        "units": """
            Imp а.е акрофут ам ам.гал ам.жидк.унц ам.кварт ам.пинт ам.чаш амер барр буш в.д гал д.рт.ст дес дес.л дн
            дн.нед др дун жидк жидк.др з.д имп имп.гал имп.дес.л имп.жидк.унц имп.кварт кап кварт л.с м.жидк.унц м.саж
            м.чаш мес мин мор напр нед нед.мес ноч об пинт рт рт.ст с.ш саж св св.г св.л сек ск ст ст.л тр тр.унц унц
            фурл ч.л час чаш щепот ю.ш
        """,
        "words": "отд проф руб тел ул",
    },
    "sk": {
        "amounts": "bil mil mld tis",
        "dates": "apr aug dec feb jan júl jún mar máj nov okt pi po sep so st ut št",
        "months": """
            apríl apríla august augusta december decembra február februára január januára júl júla jún júna marca
            marec máj mája november novembra október októbra september septembra
        """,
        "others": "Kr dop dopol n.l nap napol pol poln pop popol več",
        "units": "Imp brit brit.gal d.týž desaťr dun gal letop mes ot stor týž týž.mes",
    },
    "sv": {
        "dates": "apr aug dec feb fre jan lör mån nov okt sep sön tis tors",
        "months": "april augusti december februari januari juli juni maj mars november oktober september",
        "others": "e.kr efterm f.kr f.v.t förm midn morg v.t",
        "units": "Br Imp am br eng eng.k fl fl.dr kv naut veckod",
    },
    "tr": {
        "dates": "Ara Ağu Cmt Cum Eki Eyl Haz Kas Mar May Nis Oca Paz Per Pzt Sal Tem Çar Şub",
        "months": "aralık ağustos ekim eylül haziran kasım mart mayıs nisan ocak temmuz şubat",
        "units": "Imp Ing dk hf ing.qt ing.tat qt sa sn tat çey çyr",
    },
    "uk": {
        "amounts": "тис",
        "dates": "бер вер вт груд жовт кв квіт лип лист лют нд пн пт сб серп ср січ трав черв чт",
        "months": """
            березень березня вересень вересня грудень грудня жовтень жовтня квітень квітня липень липня листопад
            листопада лютий лютого серпень серпня січень січня травень травня червень червня
        """,
        "others": "н.е",
        "units": """
            Imp а.о ам ам.терм англ англ.гал англ.дес англ.дес.л англ.квар англ.рід англ.рід.ун буш гал год гр д.міс
            д.р д.тиж дес дес.л дн дріб дун ел зх зх.д к.с квар кр кут кут.мін кут.сек м.пінт м.чаш метр мін мір міс
            нч од од.гл пд пд.ш пн.ш пінт рт рт.ст рід рід.ун св св.р сек сканд ст ст.л сх сх.д терм тиж тиж.міс тр
            тр.ун ун ун.рід.м ун.рід.метр унц хв ч.л час час.п чаш шв шв.св
        """,
    },
}
