"""Words of one to three letters that are usual in some language: side by side they are no evasion."""

from __future__ import annotations

from flows.moderation.tables import words

USUAL = frozenset(
    words("""
    bc bin cm co de dr eg el et etc eu gb hz ibn ie jr kb kg km le mb mc ml mm pc sr tb van von
    a i o e y u à è é
    ad ah ai am an as at ax be by do ed eh em en er ex go ha he hi ho id if in is it la lo ma me mr ms my no
    of oh ok on or
    os ox pa pi pm re sh so st tv uk un up us vs we ye yo
    ace act add age ago aid aim air ale all and ant any ape app apt arc are ark arm art ash ask ate axe bad
    bag ban bar bat
    bay bed bee beg bet bid big bin bit bow box boy bud bug bun bus but buy cab can cap car cat cop cow cry
    cup cut dad day
    den dew did die dig dip dna dog dot dry due ear eat egg ego elf end era eve eye fan far fat fax fed fee
    few fig fit fix
    fly fog for fox fun fur gap gas get got gum gun gut guy had ham has hat hay hen her hey hid him hip his
    hit hot how hub
    hug hut ice ill ink inn ion its jam jar jaw jet job jog joy key kid kit lab lap law lay led leg let lid
    lie lip lit log
    lot low mad man map mat may men met mid mix mob mom mud mug nap net new nod nor not now nut oak odd off
    oil old one our
    out owe own pad pan par pat paw pay pea pen per pet pie pig pin pit pop pot pro put ran rat raw ray red
    rib rid rip rob
    rod row rub run sad sat saw say sea see set she shy sin sip sir sit six ski sky son spy sub sum sun tab
    tag tan tap tax
    tea ten the tie tin tip toe ton too top toy try two use van via war was way web wet who why win won yes
    yet you zip zoo
    ab am an auf aus bei bis da das dem den der des die du ein er es für hat ich ihm ihn ihr im ist ja je man
    mir mit nie
    nun nur ob so um und uns vom von vor was wer wie wir wo zu zum zur
    au aux ce ces de des dit du elle en est et eux fin il ils je la le les leur lui ma mes moi mon ne ni nos
    nous on ou où
    par pas peu que qui sa se ses si son sur ta te tes toi ton tu un une va vos vu
    al así con cual da de del di dos el en era es esa ese eso fue ha han hay he la las le les lo los más me
    mi muy ni no nos
    os por que se ser si sin son su sus te ti tu tus un una uno va ver vez ya yo
    ai al che chi ci col con cui da dai dal dei del di due e è fa fra gli ha hai ho il in io la le lei li lo
    lui ma me mi ne
    nei nel noi non per più poi può qui sé si sia su sul suo te ti tra tu tua un una va vi voi
    als bij dan dat de den die dit een en er het hij hoe hun ik in is ja je kan maar me men met mij na naar
    niet nu of om
    ons op te tot uit van voor was wat we wel wie wij ze zij zo
    ao aos as com da das de do dos e em era eu foi há isso já lhe mas me meu na nas nem no nos num o os ou
    para pela por
    que se sem ser seu sua só te tem um uma
    """)
)
