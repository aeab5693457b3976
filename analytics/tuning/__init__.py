"""The tuner: what the windows' settings would have done to recorded streams, and which of them serve a goal best.

streams  what is tuned on              tables, splitters, limits, hold  what is known of a text before any setting is
grid     what is tried                 walk, sums, count                a block of streams under all settings
goal     what is wanted                tuner, figures                   all blocks, and how sure
advice   front and recommendation      page                             the HTML page
plain    the same through the operators, as a measure
"""
