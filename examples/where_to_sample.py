"""Four outfalls on two branches, or nobody, and one kit: where does it tell most about who did it? Invented numbers."""

import numpy as np

from suyuan.tracing.next_sample import Beliefs, YesNo, hypotheses_of, kit_chance

suspects = ["O1", "O2", "O3", "O4", "nobody"]  # O1 and O2 on the north branch, O3 and O4 on the south one
who = hypotheses_of(suspects, np.array([0.36, 0.10, 0.28, 0.18, 0.08]), is_sampled=False)
above = {  # mg/L that each suspect, if guilty, would cause at the place now
    "below the confluence": [1.5, 1.5, 1.5, 1.5, 0.0],
    "end of the north branch": [3.0, 3.0, 0.0, 0.0, 0.0],
    "mouth of O1": [9.0, 0.0, 0.0, 0.0, 0.0],
}

before = Beliefs.before(who)
print("All numbers are invented. One of", ", ".join(suspects))
for place, rise in above.items():
    chance = kit_chance(np.array(rise), limit=1.0, sd=0.2, false_positive=0.03, false_negative=0.05)
    print(f"{place:26}{YesNo(chance).gain(before, who):5.2f} bits")
