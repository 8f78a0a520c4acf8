package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/iimmkit/iimm/iimmkit/show/chart"
	"github.com/iimmkit/iimm/iimmkit/study/correlation"
)

// japaneseNames are the words of the Japanese summary and charts.
var japaneseNames = map[string]string{
	correlation.IIMM: "IIMM", correlation.Inter: "Inter", correlation.Intra: "Intra", correlation.Alignment: "Alignment",
	correlation.IntraText: "IntraText", correlation.ModalityGap: "モダリティギャップ", correlation.ZeroShotError: "ゼロショット誤り率",
	correlation.ProbeCVAccuracy: "交差検証した線形プローブの正解率", correlation.ProbeGain: "プローブとゼロショットの正解率の差",
	correlation.Gain: "向上", correlation.ScaledGain: "相対的な向上", correlation.Accuracy: "追加学習後の正解率", correlation.Forgetting: "忘却",
}

// japanese is the summary in Japanese. It says the same as english, shorter.
func japanese(g *correlation.Group) verdict {
	var v verdict
	var heads []string
	for _, target := range []string{correlation.Gain, correlation.Forgetting} {
		iimm, trivial := g.Correlation(correlation.IIMM, target), g.Correlation(correlation.ZeroShotError, target)
		if iimm == nil || iimm.N == 0 {
			continue
		}
		name := japaneseNames[target]
		switch found(iimm) {
		case undefined:
			heads = append(heads, fmt.Sprintf("IIMMと%sの相関は定義されません", name))
		case uncertain:
			heads = append(heads, fmt.Sprintf("課題が少なく、IIMMと%sの相関は判断できません", name))
		case notShown:
			heads = append(heads, fmt.Sprintf("IIMMと%sの相関は確認されませんでした", name))
		case higher, lower:
			sign := map[finding]string{higher: "正", lower: "負"}[found(iimm)]
			head := fmt.Sprintf("IIMMと%sには%sの相関がありました", name, sign)
			switch {
			case against(iimm) > 0:
				head += "（ゼロショット誤り率より強い）"
			case against(iimm) < 0:
				head += "（ただしゼロショット誤り率より弱い）"
			case trivial != nil && trivial.R != nil:
				head += "（ただしゼロショット誤り率より強いとは言えない）"
			}
			heads = append(heads, head)
		}
		v.Points = append(v.Points, japaneseTarget(name, iimm, trivial))
	}
	v.Headline = strings.Join(heads, "。") + "。"
	for _, target := range []string{correlation.Accuracy, correlation.Gain, correlation.Forgetting} {
		best, base, iimm := forecasts(g, target)
		if best == nil || base == nil || iimm == nil {
			continue
		}
		v.Points = append(v.Points, fmt.Sprintf("除外した課題の%sの予測誤差（平均、ポイント）：IIMM %s、他の課題の平均 %s、最良の予測変数（%s）%s。",
			japaneseNames[target], points(*iimm.Error), points(*base.Error), Label(chart.Japanese, best.Predictors...), points(*best.Error)))
	}
	return v
}

func japaneseTarget(name string, iimm, trivial *correlation.Correlation) string {
	var s []string
	switch f := found(iimm); f {
	case undefined:
		s = append(s, fmt.Sprintf("%s：IIMMとの相関は定義されません。", name))
	case uncertain:
		s = append(s, fmt.Sprintf("%s：IIMMとの相関係数 r = %s（課題数 %d、区間を求めるには不足）。", name, decimal(*iimm.R), iimm.N))
	default:
		verb := "0を含み、相関は確認できません"
		if f != notShown {
			verb = "0を含みません"
		}
		s = append(s, fmt.Sprintf("%s：追加学習前に測ったIIMMとの相関係数は r = %s、95 %%区間 %s は%s。", name, decimal(*iimm.R), interval(iimm.CI95), verb))
	}
	if trivial != nil && trivial.R != nil {
		text := fmt.Sprintf("自明な予測変数であるゼロショット誤り率だけでは r = %s", strength(trivial))
		if iimm.Excess != nil && *iimm.Excess != 0 {
			how := "強く"
			if *iimm.Excess > 0 {
				how = "弱く"
			}
			sure := "差は偶然の範囲内です"
			if against(iimm) != 0 {
				sure = "差は偶然の範囲を超えます"
			}
			text += fmt.Sprintf("で、IIMMより%sだけ%s、%s", decimal(math.Abs(*iimm.Excess)), how, sure)
		}
		s = append(s, text+"。")
	}
	return strings.Join(s, "")
}
