"""Polish, Czech, Slovak, Russian, Ukrainian, Bulgarian; and Hungarian and Kazakh, whose abbreviations are alike."""

from __future__ import annotations

from flows.sentences.languages.language import EVERYWHERE, Language, table, words

POLISH = Language(
    abbreviations=table(
        name="""ul al pl dr prof mgr inż hab doc ks św gen płk ppłk kpt por p pp os im lek med adw red""",
        inner="""np tzn tj m.in ok zob tzw ww ub jw bałt ang łac niem franc ros wg ds dot maks ew pow j.w obsł jedn
            odp zwł""",
        number="""nr nry s str rys tab t rozdz art ust pkt poz tel lok m zał par ppkt fax kom pok kl ver""",
        unit="godz zł gr r w sek szt kg km mies tyg",
        list="itd itp etc",
        maybe="""co inc ltd jr sr sp z.o.o sp.z.o.o s.a tys mln mld n.e p.n.e woj adr dyr egz gł gosp mieszk muz
            nast oprac ob odc odm pd pn przew przyp pracow skr społ techn tłum tow uniw ur wsch wyd zach zaw zm zw
            dn""",
    ),
    prepositions=words("w we od do o po przed około między"),
    openers=words(
        """to ten ta te ci ja ty on ona ono my wy oni one w we z ze na do od po o i a ale lub czy jeśli jeżeli gdy
        kiedy gdzie jak co kto dlaczego ponieważ dlatego więc nie tak już teraz dziś jutro proszę prosimy dziękuję
        dziękujemy pani jest są może można wszystkie każdy nasz nasza niestety za przy dla oraz jego jej ich się
        potem"""
    ),
    ordinals=3,
)

CZECH = Language(
    abbreviations=table(
        name="ul nám dr prof doc ing mgr bc mudr judr phdr rndr sv st gen plk p pí pp tř bří",
        inner="""např tzv tj resp cca popř příp mj vč vs srov viz lat angl něm max pozn kupř tzn ev""",
        number="""č čís s str obr tab kap odst čl tel roč písm mob kanc příl verz""",
        unit="hod sek kč r kg km ks měs týd",
        list="atd apod aj etc",
        maybe="""a.s s.r.o spol co inc ltd jr sr ml tis mil mld n.l př.n.l okr odd adr býv dod evid fak hl jedn
            mezin odb obj org orig os ost ozn prac předs přibl přísl samost schv skl spec tech uv ved vyd výr zák
            zejm zkr zn""",
    ),
    prepositions=words("v ve od do o po před kolem mezi dne"),
    openers=words(
        """to ten ta tato tento já ty on ona my vy oni v ve z ze na do od po o a i ale nebo pokud když kde kdy jak
        co kdo proč protože proto tak ne ano již už nyní dnes zítra prosím děkuji děkujeme je jsou může můžete váš
        vaše náš naše všechny každý bohužel za při pro jeho její jejich po ať"""
    ),
    ordinals=3,
    syllabic_consonants=True,
)

SLOVAK = Language(
    abbreviations=table(
        name="ul nám dr prof doc ing mgr bc mudr judr phdr sv st gen plk p pí",
        inner="napr tzv tj resp cca popr príp vs porov pozri lat angl nem t.j max min tzn pozn",
        number="č čís s str obr tab kap ods čl tel roč",
        unit="hod sek sk r kg km ks",
        list="atď a.i apod etc",
        maybe="""a.s s.r.o spol co inc ltd jr sr ml tis mil mld n.l akad bývl jedn kol obv odd okr org os ped por
            príl soc súkr uv vyd výr zák zn""",
    ),
    prepositions=words("v vo od do o po pred okolo medzi dňa"),
    openers=words(
        """to ten tá tento táto ja ty on ona my vy oni v vo z zo na do od po o a i ale alebo ak keď kde kedy ako čo
        kto prečo pretože preto tak nie áno už teraz dnes zajtra prosím ďakujem ďakujeme je sú môže môžete váš vaše
        náš naše všetky každý bohužiaľ za pri pre jeho jej ich potom"""
    ),
    ordinals=3,
    syllabic_consonants=True,
)

HUNGARIAN = Language(
    abbreviations=table(
        name="dr prof ifj id özv szt st gen ing",
        inner="pl ún kb vö ill max min ld tkp",
        number="""sz old o köt fej ábra tel u em hrsz fszt sor bek mell ép lph hsz""",
        unit="p mp kg km db",
        list="stb etc",
        maybe="""kft zrt nyrt bt co inc ltd mrd i.e i.sz kr kr.e kr.u krt ált átl bp dl eü évf felv hiv igazg isk
            ker képv közp megj műsz orsz össz pf szerk vill""",
    ),
    openers=words(
        """a az egy ez azok ezek én te ő mi ti ők és de vagy ha amikor hol mikor hogyan mit mi ki miért mert ezért
        így nem igen már most ma holnap kérem kérjük köszönjük köszönöm van vannak lehet minden sajnos hogy is csak
        hívja hívjon önnek ön várjuk"""
    ),
    ordinals=4,
    one_letter=frozenset("ő"),
)

RUSSIAN = Language(
    abbreviations=EVERYWHERE
    | table(
        name="гр г-н г-жа д-р проф акад доц инж тов св ген полк кап ул пл пер просп наб обл пос пгт дер о р",
        inner="""т.е т.н т.к т.о напр ср тж вкл искл ок прим макс приб ред изд сост букв дев лат греч англ нем фр чл
            корр зам зав""",
        number="""рис табл гл ст стр с п пп т тт д корп оф тел вып разд № кв под эт каб ауд пом вл""",
        unit="руб коп долл мин сек час ч км кг см мм куб экз чел гг вв в г",
        time="до.н.э н.э",
        list="т.д т.п др пр",
        maybe="""у.е им тыс млн млрд трлн отд теч до.н авт адм гос действ доп ед ежедн ежемес заг заруб зап изм инв
            иностр инст канд колич коэф назв наим нач неск осн отв отпр офиц пенс получ посл предв пред прил разг
            разм рег сев совр соотв соц спец сред станд стоим тех ун усл уч физ фин хоз шт эл юж юр""",
    ),
    openers=words(
        """в на и а но он она оно они мы вы я ты это этот эта эти тот та те так там тут здесь как что кто где когда
        если для по при после до от из у с к о об не нет да все всё его её их мой наш ваш просьба потом затем
        спасибо пожалуйста ваш ваша ваше ваши нас вас их было есть можно нужно к сожалению ждём перезвоните также"""
    ),
    prepositions=words("в с до от к на за после около"),
    one_letter=frozenset("я"),
)

UKRAINIAN = Language(
    abbreviations=EVERYWHERE
    | table(
        name="""п пп д-р проф акад доц інж ім св ген полк вул пл пров просп бул обл смт м о чл канд журн ред укр
            наук""",
        inner="т.зв зв напр бл макс мін див пор прим літ тобто англ нім лат рос",
        number="""рис табл гл розд ч стор стр с т кв буд корп тел вип вид № оф під пов каб""",
        unit="грн коп кб мб хв сек год град га км кг см мм од шт рр ст в р дол",
        list="тощо т.д т.п ін",
        maybe="""у.о тис млн млрд трлн відд адм дод держ заг змін міськ нац оп осн відп вказ поч публ прод рег розр
            соц спец тех ун фіз фін юр""",
    ),
    openers=words(
        """в у на і й та а але він вона воно вони ми ви я ти це цей ця ці той те як що хто де коли якщо для по при
        після до від з із зі про не ні так усе все всі його її їх мій наш наша ваш ваша ваші потім тут там зараз
        сьогодні завтра дякую дякуємо будь ласка можна треба є був була чекаємо передзвоніть також"""
    ),
    prepositions=words("у в з до від на за після"),
    one_letter=frozenset("яєй"),
)

BULGARIAN = Language(
    abbreviations=EVERYWHERE
    | table(
        name="г-н г-жа д-р проф доц инж акад св ген полк ул пл бул гр с",
        inner="напр вкл вж срв т.е т.нар изкл ок бел",
        number="стр т чл ал рис табл гл тел бл ап",
        unit="лв ст мин сек ч км кг г гг в",
        list="др т.н",
        maybe="""хил млн млрд отд адм доп изм осн спец соц тех общ юр""",
    ),
    openers=words(
        """в във на и а но или ако когато къде как какво кой защо защото аз ти той тя то ние вие те този тази това
        тези за от до при след преди с със не да вече сега днес утре моля благодаря благодарим има е са може всички
        нашият вашият вашата също"""
    ),
    one_letter=frozenset("яеи"),
)

KAZAKH = Language(
    abbreviations=EVERYWHERE
    | table(
        name="проф акад доц ген ул көш",
        inner="т.с.с мыс қар",
        number="№ сур кест бет",
        unit="жыл ж ғ мың млн млрд тг",
        list="т.б",
    ),
)

LANGUAGES = {
    "pl": POLISH,
    "cs": CZECH,
    "sk": SLOVAK,
    "hu": HUNGARIAN,
    "ru": RUSSIAN,
    "uk": UKRAINIAN,
    "bg": BULGARIAN,
    "kk": KAZAKH,
}
