"""Polish, Czech, Slovak, Russian, Ukrainian, Bulgarian; and Hungarian and Kazakh, whose abbreviations are alike."""

from __future__ import annotations

from flows.sentences.languages.language import EVERYWHERE, Language, table, words

POLISH = Language(
    abbreviations=table(
        name="ul al pl dr prof mgr inż hab doc ks św gen płk ppłk kpt por p pp",
        inner="np tzn tj m.in min in ok zob tzw ww ub jw bałt ang łac niem franc ros wg ds im",
        number="nr nry s str rys tab t rozdz art ust pkt poz tel",
        unit="godz tys mln mld zł gr r w",
        list="itd itp etc",
        maybe="co inc ltd jr sr sp z.o.o",
    ),
    ordinals=True,
)

CZECH = Language(
    abbreviations=table(
        name="ul nám dr prof doc ing mgr bc mudr judr phdr sv st gen plk p pí pp",
        inner="např tzv tj resp cca popř příp mj vč vs srov viz lat angl něm",
        number="č čís s str obr tab kap odst čl tel roč",
        unit="hod min sek tis mil mld kč r",
        list="atd apod aj etc",
        maybe="a.s s.r.o spol co inc ltd jr sr ml",
    ),
    ordinals=True,
)

SLOVAK = Language(
    abbreviations=table(
        name="ul nám dr prof doc ing mgr bc mudr judr phdr sv st gen plk p pí",
        inner="napr tzv tj resp cca popr príp vs porov pozri lat angl nem t.j",
        number="č čís s str obr tab kap ods čl tel roč",
        unit="hod min sek tis mil mld sk r",
        list="atď a.i apod etc",
        maybe="a.s s.r.o spol co inc ltd jr sr ml",
    ),
    ordinals=True,
)

HUNGARIAN = Language(
    abbreviations=table(
        name="dr prof ifj id özv szt st gen",
        inner="pl ún kb vö ill",
        number="sz old o köt fej ábra tel",
        list="stb etc",
        maybe="kft zrt nyrt bt co inc ltd",
    ),
    ordinals=True,
)

RUSSIAN = Language(
    abbreviations=EVERYWHERE
    | table(
        name="гр г-н г-жа д-р проф акад доц инж тов св ген полк кап ул пл пер просп наб обл пос пгт дер о р",
        inner="т.е т.н т.к т.о напр ср тж вкл искл ок прим ред изд сост букв дев лат греч англ нем фр чл корр зам зав",
        number="рис табл гл ст стр с п пп т тт д корп оф тел вып разд № янв февр апр авг сент окт нояб дек",
        unit="тыс млн млрд руб коп долл мин сек час ч км кг см мм кв куб экз чел гг вв в г",
        time="до.н.э н.э",
        list="т.д т.п др пр",
        maybe="у.е им",
    ),
    openers=words(
        """в на и а но он она оно они мы вы я ты это этот эта эти тот та те так там тут здесь как что кто где
        когда если для по при после до от из у с к о об не нет да все всё его её их мой наш ваш просьба потом
        затем"""
    ),
    prepositions=words("в с до от к на за после около"),
)

UKRAINIAN = Language(
    abbreviations=EVERYWHERE
    | table(
        name="""п пп д-р проф акад доц інж ім св ген полк вул пл пров просп бул обл смт м о чл канд журн ред укр
            наук""",
        inner="т.зв зв напр див пор прим літ тобто англ нім лат рос",
        number="рис табл гл розд ч стор стр с т кв буд корп тел вип вид №",
        unit="тис млн млрд грн коп кб мб хв сек год град га км кг см мм од шт рр ст в р дол",
        list="тощо т.д т.п ін",
        maybe="у.о",
    ),
    prepositions=words("у в з до від на за після"),
)

BULGARIAN = Language(
    abbreviations=EVERYWHERE
    | table(
        name="г-н г-жа д-р проф доц инж акад св ген полк ул пл бул гр с",
        inner="напр вкл вж срв т.е т.нар изкл ок бел",
        number="стр т чл ал рис табл гл тел бл ап",
        unit="лв ст хил млн млрд мин сек ч км кг г гг в",
        list="др т.н",
    ),
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
